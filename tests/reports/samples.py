"""Reports made by hand: of a new project, and a full one whose texts and names are hostile."""

from dataclasses import replace

from mollia_cli.domain.people import Corrections
from mollia_cli.domain.report import (
    LLM,
    Agreement,
    Cost,
    Curve,
    DataCard,
    EncoderValue,
    Example,
    Examples,
    LabelsAlone,
    LLMCost,
    LLMsAdd,
    Measurement,
    Missing,
    ModelCard,
    Overview,
    PanelQuality,
    PerLabel,
    Point,
    Provenance,
    ReliabilityBin,
    Report,
    RoundCost,
    Source,
    Split,
)

SCRIPT = "<script>alert(1)</script><img src=http://evil.example/x.png onerror=alert(2)>"
STEERING = "\x1b[31mred\x00 \u202egnirts\u2066 \ud800 & \"quoted\" 'too' ]]> --> {{ 7 * 7 }}"
LABELS = ("</text><script>x", "a & b", "\u202ecba")
PEOPLE = Corrections(
    **{"labels": 1, "by": {SCRIPT: 1}, "seed": 0, "ignored": 0, "notes": 2, "disagreements": 0},
    agreement=None,
    adjudicated={},
    reviewed=1,
    contradicted=1,
    threshold=None,
    accuracy=None,
)
NOTHING = Missing("nothing is here yet", "mollia import texts.csv --split pool")


def overview(labels: tuple[str, ...] = LABELS) -> Overview:
    return Overview(
        project=f"project {SCRIPT}",
        version="1.2.3",
        made="2026-01-02T03:04:05+00:00",
        noun="query",
        task=STEERING,
        labels=labels,
        descriptions=("",) * len(labels),
        run="main",
        method="mollia",
        strategy="coreset",
        aggregator="conditional_logit",
        annotator="panel",
        rounds=2,
        people=PEOPLE,
        next_step="mollia round",
    )


def new_report() -> Report:
    """Nothing but settings."""
    provenance = Provenance(
        "Now.", (("project", (("seed", "0"),)),), (("label set", "ab" * 32),), (("mollia", "1.2.3"),), ""
    )
    about = replace(overview(), run="", rounds=0, people=replace(PEOPLE, labels=0, notes=0))
    nothing = (NOTHING,) * 4
    return Report(about, NOTHING, NOTHING, (NOTHING,) * 3, *nothing, provenance, NOTHING, NOTHING)


def measurement(kind: str, labels: tuple[str, ...] = LABELS) -> Measurement:
    """Three in four are right, whatever the label."""
    n = len(labels)
    counts = tuple(tuple(3 if i == j else int(j == (i + 1) % n) for j in range(n)) for i in range(n))
    bins = (ReliabilityBin(0.4, 0.5, n, 0.45, 0.5), ReliabilityBin(0.9, 1.0, 3 * n, 0.95, 5 / 6))
    per_label = tuple(PerLabel(label, 4, 4, 0.75, 0.75) for label in labels)
    return Measurement(
        *(kind, f"{kind} {SCRIPT}", f"{4 * n} items", 4 * n, 0.75, 0.5, 0.9, 0.75, 0.1, 0.2, 1.3),
        *(bins, counts, per_label),
    )


def curve(name: str, annotator: str, repeats: int, *means: float) -> Curve:
    spread = 0.02 if repeats > 1 else None
    points = tuple(Point(n, 50 + 50 * n, (mean,) * repeats, mean, spread, 0.7) for n, mean in enumerate(means))
    return Curve(name, "mollia", "coreset", "molam", annotator, repeats, "test_micro_f1", 500, points)


def full_report(labels: tuple[str, ...] = LABELS) -> Report:
    """Every section, with texts that try to break out of it."""
    names = ("ada", SCRIPT)
    llms = tuple(
        LLM(name, 50, 0.5, 0.4, 0.6, 0.9, 1.0, 0.0, 0.1, -0.02, -0.1, 0.06, 70, 1400, 12.5, 300 << 20) for name in names
    )
    example = Example(
        "i1", f"{SCRIPT} {STEERING}", labels[0], 0.4, labels[1], 0.3, ((names[1], labels[1], 0.6), ("ada", None, 0.0)),
        (("true label", labels[1]),),
    )  # fmt: skip
    costs = tuple(LLMCost(name, "0123456789abcdef", True, 70, 1400, 0, 12.5, 300 << 20) for name in names)
    rounds = (
        RoundCost(0, 0, 0, (("select", 0.0), ("train", 5.0))),
        RoundCost(1, 50, 900, (("train", 65.0),), 900 << 20),
    )
    split = Split("pool", 70, 12, (4,) * len(labels), (1, 20, 300), (Source(f"{SCRIPT}.csv", 70, "2026-01-01"),))
    new, agreement = new_report(), Agreement(70, 0.25, ((1.0, -0.2), (-0.2, 1.0)))
    encoders = (EncoderValue(STEERING, 0.04, 0.01, 0.07), EncoderValue("mini", None, None, None))
    return Report(
        overview(labels),
        (curve("main", "panel", 5, 0.6, 0.7), curve("oracle", "oracle", 1, 0.6, 0.8)),
        PanelQuality("molam", "50 seed items (drawn at random)", llms, encoders, agreement),
        tuple(measurement(kind, labels) for kind in ("seeds", "pool", "test")),
        LabelsAlone(f"labels alone (linear, {SCRIPT})", "12 items", 12, 0.7, 0.4, 0.9),
        LLMsAdd(f"the verdicts of {SCRIPT}", "the labels alone", "50 seed items", 0.05, -0.2, 0.3),
        Examples(100, (example,) * 10, (example,) * 10, (("true label", 7, 50),)),
        Cost(costs, 60, 1000, rounds),
        replace(new.provenance, prompt=f"{{text}}\n{SCRIPT}"),
        DataCard((split, replace(split, split="seed")), (4,) * len(labels), {}),
        ModelCard(
            *("main", 1, "transformer", "distilbert", 50, 50, 160, 60, "20 cut from the labelled", 9),
            *("models/main/round-01", "cd" * 32),
        ),
    )
