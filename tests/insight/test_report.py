"""What the report gathers: numbers that can be worked out by hand, and every stage of a project."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from doubles import of_llms

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.report import (
    Cost,
    DataCard,
    Examples,
    LabelsAlone,
    LLMsAdd,
    Measurement,
    Missing,
    PanelQuality,
    ReliabilityBin,
    Report,
    RoundCost,
)
from mollia_cli.domain.settings import RunConfig
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.insight.report import report
from mollia_cli.insight.report.measurements import measured
from mollia_cli.insight.report.missing import without_folders
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.project import observe as annotation
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.record import run_record

MakeProject = Callable[..., Project]
SETUP = RunConfig(
    method="mollia",
    strategy="random",
    aggregator="vote",
    annotator="panel",
    replay="",
    batch=2,
    rounds=2,
    cascade=(),
    threshold=0.9,
    synthetic=False,
    stop="rounds",
    budget_tokens=0,
    budget_minutes=0.0,
    pool_sample=0,
    alpha=0.5,
    lambda_start=0.4,
    lambda_end=1.0,
    delta=0.0,
    false_negatives=0.02,
    unlabelled=0,
    repeat=1,
)
SPAM, HAM = 0, 1
ITEMS = [
    *[Item(f"s{n}", f"seed {n}", "seed", label) for n, label in enumerate([SPAM, SPAM, HAM, HAM])],
    *[Item(f"p{n}", "x" * (10 * n + 10), "pool", label) for n, label in enumerate([SPAM, HAM, None, None, None])],
    *[Item(f"t{n}", f"test {n}", "test", n % 2) for n in range(4)],
]
# Of every item that was read: who says what, with the share of answers that say so.
SAID = {
    "ada": {"s0": (SPAM, 1.0), "s1": (SPAM, 0.8), "s2": (HAM, 1.0), "s3": (SPAM, 0.6)},
    "bob": {"s0": (SPAM, 1.0), "s1": (HAM, 0.6), "s2": (HAM, 1.0), "s3": (SPAM, 1.0)},
}
FOR_POOL = {"p0": (SPAM, 0.9), "p1": (SPAM, 0.8), "p2": (HAM, 0.6), "p3": (SPAM, 0.7)}
# The verdicts of the last round: p0 is right, p1 is wrong, of p2 and p3 nobody knows.
VERDICTS = [(item_id, label, share) for item_id, (label, share) in FOR_POOL.items()]


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[Project]:
    """Two LLMs, four seeds, four of five pool items read in two rounds; every number is written down above."""
    members = [tmp_path / f"{name}.gguf" for name in SAID]
    for path in members:
        path.write_bytes(b"GGUF" + path.name.encode())
    root = tmp_path / "by hand"
    settings = of_llms(new_settings(LabelSet(("spam", "ham")), "mail", panel=[str(path) for path in members]))
    create(root, replace(settings, aggregate=replace(settings.aggregate, aggregator="vote", unlabelled=0)))
    with Project.open(root) as project:
        store = project.store
        with store.transaction():
            store.items.add(ITEMS, "/home/someone/mails.csv")
        panel = annotation.members(project)
        for member in panel:
            batch = [_said(item_id, *answer) for item_id, answer in (SAID[member.name] | FOR_POOL).items()]
            store.observations.add(member.key, batch, seconds=16.0, memory=300 << 20)
        fit = store.verdicts.add_fit("digest", "vote", [member.key for member in panel], (0, 0), {})
        ids, labels, confidences = zip(*VERDICTS, strict=True)
        spam = [p if k == SPAM else 1 - p for k, p in zip(labels, confidences, strict=True)]
        probabilities = np.column_stack([spam, 1 - np.array(spam)])
        made = Verdicts(ids, np.array(labels), probabilities, np.zeros_like(probabilities, dtype=bool))
        store.verdicts.add(fit.id, made)
        store.runs.put("main", SETUP, run_record(project))
        _round(project, 0, [], {"labelled": 4, "test_micro_f1": 0.5}, fit=None)
        picks = [("p0", 0.0, SPAM), ("p1", 0.0, HAM)]
        _round(project, 1, picks, {"labelled": 6, "test_micro_f1": 0.75, "verdict_accuracy": 0.5}, fit.id)
        _round(project, 2, [("p2", 0.0, SPAM), ("p3", 0.0, None)], {"labelled": 8, "test_micro_f1": 0.5}, fit.id)
        yield project


def _said(item_id: str, label: int, share: float) -> Observation:
    votes = np.full(2, round(1 - share, 6))
    votes[label] = share
    return Observation(item_id, np.log(np.maximum(votes, 1e-9)), votes, 1.0, 0.0, tokens=10)


def _round(
    project: Project,
    number: int,
    picks: list[tuple[str, float, int | None]],
    metrics: dict[str, float],
    fit: int | None,
) -> None:
    runs = project.store.runs
    runs.start_round("main", number, picks, 1.0)
    model = f"models/main/round-{number:02d}"
    trained = {"trained_on": metrics["labelled"], "validation": "2 cut from the labelled", "epochs": 3}
    runs.update_round(
        "main",
        number,
        fit=fit,
        model=model,
        metrics=metrics | trained,
        seconds={"train": 2.0 * number},
        memory=900 + number,
    )


def _curve_points(found: Report) -> list[tuple[int, float, float | None]]:
    assert not isinstance(found.curves, Missing)
    (curve,) = found.curves
    return [(point.labelled, point.mean, point.verdicts) for point in curve.points]


def test_curves_and_overview(by_hand: Project) -> None:
    found = report(by_hand)
    assert _curve_points(found) == [(4, 0.5, None), (6, 0.75, 0.5), (8, 0.5, None)]
    about = found.overview
    assert (about.project, about.run, about.rounds, about.noun) == ("by hand", "main", 3, "mail")
    assert (about.labels, about.aggregator, about.annotator) == (("spam", "ham"), "vote", "panel")


def test_the_panel_by_hand(by_hand: Project) -> None:
    found = report(by_hand).panel
    assert isinstance(found, PanelQuality)
    ada, bob = found.llms
    assert (ada.accuracy, bob.accuracy) == (0.75, 0.5)
    assert (ada.observed, ada.tokens, ada.seconds) == (8, 80, pytest.approx(16.0))
    assert (ada.coverage, ada.invalid, ada.mass) == (1.0, 0.0, pytest.approx(1.0))
    # 8 items: 7 agreements; ada says ham 2 times, bob 3 times: chance is (2*3 + 6*5) / 64
    assert found.agreement.items == 8
    assert found.agreement.cohen_kappa[0][1] == pytest.approx((7 / 8 - 36 / 64) / (1 - 36 / 64))
    # 16 answers, 5 of them ham: pairs that differ are 2 of 16 observed, 2*5*11 of 16*15 expected
    assert found.agreement.krippendorff_alpha == pytest.approx(1 - (2 / 16) / (110 / 240))


def test_measurements_by_hand(by_hand: Project) -> None:
    seeds, pool, test = report(by_hand).measurements
    assert isinstance(seeds, Measurement)
    # both say the same of s0, s2 and (wrongly) s3, so that the vote is sure; s1 is a tie, broken for spam
    assert (seeds.who, seeds.items, seeds.accuracy) == ("vote", 4, 0.75)
    assert seeds.counts == ((2, 0), (1, 1))
    assert [(p.precision, p.recall) for p in seeds.per_label] == [(pytest.approx(2 / 3), 1.0), (1.0, 0.5)]
    assert seeds.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    assert seeds.ece_before is None and seeds.temperature is None
    # less than (1 * (1 - 0.5) + 3 * (1 - 2 / 3)) / 4: the gap of the tie alone is one that chance makes
    assert seeds.ece == pytest.approx(3 * (1 - 2 / 3) / 4, abs=1e-4)
    assert (seeds.lower, seeds.upper) == (None, None)  # of four items
    assert isinstance(pool, Measurement)
    assert (pool.items, pool.accuracy, pool.counts) == (2, 0.5, ((1, 0), (1, 0)))
    assert [(b.n, b.confidence, b.accuracy) for b in pool.reliability] == [(1, 0.8, 0.0), (1, 0.9, 1.0)]
    assert isinstance(pool.reliability[0], ReliabilityBin)
    assert pool.ece == pytest.approx((0.8**2 - 0.8 * 0.2) ** 0.5 / 2)
    assert isinstance(test, Missing) and "round-02 is missing" in test.message


def test_examples_by_hand(by_hand: Project) -> None:
    found = report(by_hand).examples
    assert isinstance(found, Examples)
    assert found.verdicts == 4
    assert [(e.id, e.verdict, e.confidence) for e in found.least_confident] == [
        *[("p2", "ham", 0.6), ("p3", "spam", 0.7), ("p1", "spam", 0.8), ("p0", "spam", 0.9)],
    ]
    assert (found.least_confident[0].second, found.least_confident[0].second_confidence) == ("spam", 0.4)
    assert found.least_confident[0].llms == (("ada", "ham", 0.6), ("bob", "ham", 0.6))
    # of true label and classifier, both contradict p1, the classifier alone p2; of p3 nobody said anything
    true, classifier = "true label", "the previous round's classifier"
    assert [(e.id, e.against) for e in found.contradicted] == [
        ("p1", ((true, "ham"), (classifier, "ham"))),
        ("p2", ((classifier, "spam"),)),
    ]
    assert found.contradictions == ((true, 1, 2), (classifier, 2, 3))


def test_texts_can_stay_at_home(by_hand: Project) -> None:
    with_texts, without = (json.dumps(asdict(report(by_hand, texts=texts))) for texts in (True, False))
    texts = [item.text for item in ITEMS if item.id in FOR_POOL]
    assert all(text in with_texts for text in texts)
    assert not any(f'"{text}"' in without for text in texts)


def test_cost_by_hand(by_hand: Project) -> None:
    found = report(by_hand).cost
    assert isinstance(found, Cost)
    assert [(llm.annotator, llm.items, llm.tokens, llm.in_panel, llm.memory) for llm in found.llms] == [
        ("ada", 8, 80, True, 300 << 20),
        ("bob", 8, 80, True, 300 << 20),
    ]
    assert (found.base_items, found.base_tokens) == (4, 80)  # the seeds, read by both
    assert found.rounds == (
        RoundCost(0, 0, 0, (("select", 1.0), ("train", 0.0)), 900),
        RoundCost(1, 2, 40, (("select", 1.0), ("train", 2.0)), 901),
        RoundCost(2, 2, 40, (("select", 1.0), ("train", 4.0)), 902),
    )


def test_what_is_read_anyway_costs_no_round(by_hand: Project) -> None:
    by_hand.store._db.execute("UPDATE runs SET settings = json_set(settings, '$.unlabelled', 5)")
    by_hand.store._db.conn.commit()
    found = report(by_hand).cost
    assert isinstance(found, Cost)
    assert (found.base_items, found.base_tokens) == (8, 160)
    assert [record.tokens for record in found.rounds] == [0, 0, 0]


def test_cards_by_hand(by_hand: Project) -> None:
    found = report(by_hand)
    assert isinstance(found.data, DataCard)
    pool, seed, test = found.data.splits
    assert (pool.split, pool.items, pool.labelled, pool.by_label, pool.characters) == (
        "pool",
        5,
        2,
        (1, 1),
        (10, 30, 50),
    )
    assert (seed.by_label, test.by_label, found.data.verdicts) == ((2, 2), (2, 2), (3, 1))
    assert [(source.name, source.items) for source in pool.sources] == [("mails.csv", 5)]
    assert not isinstance(found.model, Missing)
    card = found.model
    assert (card.run, card.round, card.seeds, card.verdicts, card.epochs) == ("main", 2, 4, 4, 3)
    assert (card.validation, card.sha256) == ("2 cut from the labelled", "")


def test_nothing_tells_where_the_project_lies(by_hand: Project) -> None:
    told = json.dumps(asdict(report(by_hand)))
    assert str(by_hand.root.parent) not in told
    assert "/home/someone" not in told
    settings = dict(report(by_hand).provenance.settings)
    assert dict(settings["panel"])["members"] == "ada.gguf, bob.gguf"
    assert dict(settings["run main"])["strategy"] == "random"


def test_what_a_run_has_recorded_is_shown_whatever_changes(by_hand: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = report(by_hand)
    prompt = by_hand.root / "prompt.txt"
    recorded = prompt.read_text()
    assert before.provenance.prompt == recorded and "Output:" in recorded
    assert dict(dict(before.provenance.settings)["learner"])["epochs"] == "40"

    prompt.write_text(recorded.replace("Output:", "Answer:"))
    now = by_hand.settings
    by_hand.settings = replace(
        now,
        noun="letter",
        task="Say what it is.",
        learner=replace(now.learner, epochs=3, encoder="all-mpnet-base-v2"),
        aggregate=replace(now.aggregate, unlabelled=5),
        panel=replace(now.panel, members=now.panel.members[:1]),
    )
    monkeypatch.setattr("mollia_cli.project.record.__version__", "9.9")
    after = report(by_hand)
    assert after.provenance == before.provenance
    made_now = {"made": "", "next_step": ""}
    assert replace(after.overview, **made_now) == replace(before.overview, **made_now)
    assert (after.cost, after.model, after.panel) == (before.cost, before.model, before.panel)
    # what a run would be now is what there is to say where there is none
    by_hand.store.runs.put("next", SETUP, run_record(by_hand))
    assert report(by_hand, "next").overview.noun == "letter"


def test_of_a_run_without_a_record_nothing_is_made_up(by_hand: Project) -> None:
    by_hand.store._db.execute("UPDATE runs SET record = NULL")
    by_hand.store._db.conn.commit()
    found = report(by_hand).provenance
    assert "no record" in found.about
    assert (found.prompt, found.versions, [name for name, _ in found.settings]) == ("", (), ["run main"])


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("/home/me/a.csv", "a.csv"),
        ("C:\\Users\\me\\a.csv", "a.csv"),
        ("a.csv, ~/b/c.csv", "a.csv, c.csv"),
        ("the folder /srv/x/models is missing", "the folder models is missing"),
        ("models/main/round-01, yes/no, 1/2 or / ", "models/main/round-01, yes/no, 1/2 or / "),
    ],
)
def test_paths_are_shortened(told: str, kept: str) -> None:
    assert without_folders(told) == kept


def test_a_new_project_says_what_to_type(tmp_path: Path) -> None:
    create(tmp_path / "new", new_settings(LabelSet(("a", "b")), panel=["smollm2-135m-instruct"]))
    with Project.open(tmp_path / "new") as project:
        found = report(project)
        missing = (found.curves, found.panel, *found.measurements, found.examples, found.cost, found.data, found.model)
        for section in missing:
            assert isinstance(section, Missing)
            assert section.message and section.hint.startswith("mollia ")
        with pytest.raises(NotFoundError, match="no run 'x'"):
            report(project, "x")
    assert found.overview.next_step == "mollia import texts.csv --split pool"


def test_annotated_but_no_seed_and_no_round(observed: Project) -> None:
    observed.store._db.execute("UPDATE items SET label = NULL")
    found = report(observed)
    assert isinstance(found.panel, PanelQuality) and found.panel.llms[0].accuracy is None
    assert all(isinstance(measured, Missing) for measured in found.measurements)
    assert isinstance(found.curves, Missing) and isinstance(found.cost, Cost)
    json.dumps(asdict(found), allow_nan=False)


def test_the_verdicts_stand_beside_the_labels_alone(observed: Project, tiny_learner: object) -> None:
    """Texts that tell nothing: their words are numbers, so that the LLMs are better."""
    found = report(observed)
    alone, adds, (seeds, *_) = found.labels_alone, found.llms_add, found.measurements
    assert isinstance(alone, LabelsAlone) and isinstance(adds, LLMsAdd) and isinstance(seeds, Measurement)
    assert (alone.name, alone.on) == ("labels alone (linear, all-minilm-l6-v2)", "60 seed items, cross-fitted")
    assert (adds.who, adds.than) == ("the verdicts of conditional_logit", alone.name)
    assert (adds.on, alone.items) == ("60 seed items, cross-fitted", 60)
    assert alone.accuracy < 0.5 and adds.value == pytest.approx(seeds.accuracy - alone.accuracy)
    assert adds.lower is not None and 0 < adds.lower < adds.value
    json.dumps(asdict(found), allow_nan=False)


def test_the_labels_alone_are_measured_where_the_classifier_is_and_the_llms_where_labels_are_held_out(
    observed: Project, tiny_learner: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [Item(f"t{n}", f"test {n}", "test", n % 4) for n in range(40)]
    with observed.store.transaction():
        observed.store.items.add(items, "made up")
    gold = np.arange(40) % 4
    measurement = measured(observed.labels, "test", "classifier", "40 test items", gold, np.ones(40), gold)
    monkeypatch.setattr("mollia_cli.insight.report.classifier_on_test", lambda project, run: (measurement, gold))
    found = report(observed)
    assert isinstance(found.labels_alone, LabelsAlone) and isinstance(found.llms_add, LLMsAdd)
    assert (found.labels_alone.on, found.labels_alone.items) == ("40 test items", 40)
    assert found.labels_alone.accuracy < 0.6
    assert found.llms_add.on == "60 seed items, cross-fitted"


def test_a_run_of_true_labels_is_not_what_the_report_is_about(by_hand: Project) -> None:
    by_hand.store.runs.put("oracle", replace(SETUP, annotator="oracle"))
    assert by_hand.store.runs.names()[0] == "oracle"
    assert report(by_hand).overview.run == "main"
    assert report(by_hand, "oracle").overview.run == "oracle"


@pytest.mark.proof
def test_a_finished_project_with_real_models(
    make_real_project: MakeProject, stored_outputs: Callable[[Project], Path]
) -> None:
    project = make_real_project()
    project.settings = replace(project.settings, learner=replace(project.settings.learner, epochs=1, steps=1))
    run, setup = open_run(project, strategy="random", rounds=1, replay=str(stored_outputs(project)))
    run_rounds(project, run, setup, 1)
    found = report(project)
    sections = (found.curves, found.panel, found.examples, found.cost, found.data, found.model, *found.measurements)
    assert not [section for section in sections if isinstance(section, Missing)]
    assert isinstance(found.labels_alone, LabelsAlone) and found.labels_alone.on == "12 test items"
    test = found.measurements[2]
    assert isinstance(test, Measurement) and (test.kind, test.items) == ("test", 12)
    metrics = [record.metrics or {} for record in project.store.runs.rounds(run)]
    assert test.accuracy in [rounds["test_micro_f1"] for rounds in metrics]
    assert len(found.model.sha256) == 64  # type: ignore[union-attr]
    assert [llm.annotator for llm in found.panel.llms] == ["a", "b"]  # type: ignore[union-attr]
