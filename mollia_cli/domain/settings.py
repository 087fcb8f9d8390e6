"""The one declaration of what may be set: the keys of ``mollia.toml``, and what a run is.

Each field states its type, its limits and its remark once. The file's parser and the comments in it, the options of
``mollia run`` and their help, the Python API and docs/settings.md follow from them. ``extra={"family": ...}`` marks a
value that names a member of a family: families know their members, so ``project/choices.py`` checks it.
"""

from collections.abc import Collection, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from math import inf, isfinite
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self, get_origin

from msgspec import Meta, ValidationError, convert

from mollia_cli.domain.declared import key_of
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.members import MemberSpec, parse_members

SETTINGS_FILE = "mollia.toml"
DISTIL = "distil"
PAPER_ONLY = ("alpha", "lambda_start", "lambda_end")  # settings of a run that the method distil has no use for
AUTO = -1  # of annotate.shots
ON_SEEDS: Final = "auto"  # of annotate.guidelines
UNDECIDED = {"shots": AUTO, "guidelines": ON_SEEDS}  # values of [annotate] that are chosen on the seeds
_MOST = 10**12  # of every number that has no smaller limit: what is above is a slip of the keyboard


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """Who labels."""

    members: Annotated[
        tuple[MemberSpec, ...],
        Meta(description="LLMs by name (mollia models list) or GGUF file, or tables of other kinds."),
    ] = ()


@dataclass(frozen=True, slots=True)
class AnnotateSettings:
    """How the LLMs are asked."""

    template: Annotated[str, Meta(description="The file of the prompt, below the project's folder.")] = "prompt.txt"
    shots: Annotated[
        int, Meta(ge=AUTO, description="Seed items in the prompt, as worked examples; 0 for none, -1 for what is best.")
    ] = AUTO
    guidelines: Annotated[
        bool | Literal["auto"], Meta(description="Whether the LLMs read guidelines.md, too; auto for what is best.")
    ] = ON_SEEDS
    long: Annotated[
        Literal["head-tail", "head", "split"],
        Meta(
            description="Of a text longer than the LLM's context, read its first and last half of what fits, its"
            " beginning, or all of it in parts."
        ),
    ] = "head-tail"
    votes: Annotated[
        Literal["sampled", "exact"],
        Meta(description="Draw answers, or compute the shares that infinitely many would have."),
    ] = "sampled"
    samples: Annotated[int, Meta(ge=1, le=10_000, description="Answers drawn of each text.")] = 10
    temperature: Annotated[float, Meta(gt=0, le=100, description="The temperature of the votes.")] = 0.7
    top_p: Annotated[
        float, Meta(gt=0, le=1, description="Nucleus sampling: answers come from this much of the probability.")
    ] = 0.9
    context: Annotated[int, Meta(ge=0, description="Tokens of a prompt; 0 for what the longest text needs.")] = 0
    threads: Annotated[int, Meta(ge=0, description="CPU threads of the LLMs; 0 measures which number is quickest.")] = 0
    engine: Annotated[
        str, Meta(description="Where the LLMs run: local is this machine.", extra={"family": "engine"})
    ] = "local"
    address: Annotated[
        str, Meta(description="Of the engine's scheduler, where it runs already; empty for this machine alone.")
    ] = ""
    workers: Annotated[
        int, Meta(ge=0, le=10_000, description="Worker processes of the engine; 0 for as many as are quickest.")
    ] = 0
    mixed: Annotated[
        bool, Meta(description="Machines whose processor or llama.cpp build rounds otherwise count as the same LLM.")
    ] = False


@dataclass(frozen=True, kw_only=True)  # no slots: RunConfig has two bases
class AggregateSettings:
    """How verdicts are made."""

    aggregator: Annotated[
        str,
        Meta(
            description="The aggregator: what makes verdicts of the panel's observations.",
            extra={"family": "aggregator"},
        ),
    ] = "mixture"
    unlabelled: Annotated[
        int, Meta(ge=0, description="Pool items annotated for semi-supervised fitting; 0 for none.")
    ] = 500
    embedded: Annotated[
        int,
        Meta(
            ge=0, description="Pool items that the panel's encoders read and no LLM has to, for the aggregator mixture."
        ),
    ] = 2000
    delta: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="A label that every LLM gives less is negative (Eq. 5); 0 chooses on the seeds.",
        ),
    ] = 0.0
    false_negatives: Annotated[
        float,
        Meta(
            gt=0,
            lt=1,
            description="Where delta is 0: how often a true label may be negative, on average over seed sets.",
        ),
    ] = 0.02


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """The classifier that is trained, and how."""

    name: Annotated[
        str,
        Meta(
            description="The learner: transformer fine-tunes the encoder, linear fits a head on its embeddings.",
            extra={"family": "learner"},
        ),
    ] = "linear"
    encoder: Annotated[str, Meta(description="The pretrained encoder: a name (mollia models list) or a folder.")] = (
        "all-mpnet-base-v2"
    )
    max_tokens: Annotated[int, Meta(ge=8, le=100_000, description="Tokens after which a text is cut.")] = 128
    learning_rate: Annotated[float, Meta(gt=0, le=1, description="AdamW's learning rate.")] = 5e-5
    batch_size: Annotated[int, Meta(ge=1, description="Examples in a step.")] = 50
    steps: Annotated[int, Meta(ge=1, description="Steps that an epoch has at least.")] = 10
    epochs: Annotated[int, Meta(ge=1, le=100_000, description="Epochs of a training, at most.")] = 40
    patience: Annotated[int, Meta(ge=1, description="Epochs without a better validation score that end it.")] = 10
    validation: Annotated[
        float,
        Meta(ge=0, lt=1, description="The share of a round's labels that is held out, without gold validation items."),
    ] = 0.2
    validation_cap: Annotated[int, Meta(ge=1, description="Validation items, at most.")] = 100
    threads: Annotated[int, Meta(ge=0, le=1024, description="CPU threads of the training; 0 is torch's choice.")] = 0


@dataclass(frozen=True, kw_only=True)  # no slots: RunConfig has two bases
class RunSettings:
    """The active learning loop."""

    method: Annotated[
        Literal["distil", "mollia"],
        Meta(
            description="What a round trains on: the probabilities of the verdicts on all that LLMs or encoders have"
            " read, or as in the paper the selected items' labels, weighed by the annotation discrepancy, and their"
            " negative labels."
        ),
    ] = "distil"
    strategy: Annotated[
        str, Meta(description="The query strategy: which items are annotated next.", extra={"family": "strategy"})
    ] = "random"
    batch: Annotated[int, Meta(ge=1, description="Items a round.")] = 50
    rounds: Annotated[int, Meta(ge=0, description="Rounds after round 0; 0 for round 0 alone.")] = 5
    cascade: Annotated[
        tuple[str, ...],
        Meta(description="LLMs of the panel, cheapest first: the next is asked only where confidence is low."),
    ] = ()
    threshold: Annotated[
        float, Meta(gt=0, lt=1, description="Of a cascade: the confidence from which no further LLM is asked.")
    ] = 0.9
    synthetic: Annotated[bool, Meta(description="Train on the texts of `mollia generate`, too.")] = False
    stop: Annotated[
        str,
        Meta(description="When to end before the number of rounds; rounds for never.", extra={"family": "stop"}),
    ] = "rounds"
    budget_tokens: Annotated[
        int, Meta(ge=0, description="End when the LLMs have read so many tokens; 0 for no limit.")
    ] = 0
    budget_minutes: Annotated[float, Meta(ge=0, description="End when the rounds took so long; 0 for no limit.")] = 0.0
    pool_sample: Annotated[
        int, Meta(ge=0, description="Choose among so many random pool items; 0 for all of them.")
    ] = 0
    alpha: Annotated[
        float,
        Meta(ge=0, le=1, description="Weight of an item where the classifier before differs from the verdict (Eq. 8)."),
    ] = 0.5
    lambda_start: Annotated[float, Meta(ge=0, description="Weight of negative labels in round 1 (Eq. 9).")] = 0.4
    lambda_end: Annotated[float, Meta(ge=0, description="Weight of negative labels in the last round (Eq. 9).")] = 1.0


@dataclass(frozen=True, kw_only=True)
class RunConfig(AggregateSettings, RunSettings):
    """What a run is: fixed at its first round, so that its rounds can be compared.

    ``rounds``, ``stop`` and the budgets say when it ends, not what its rounds are, and may change. A field without
    a remark is no option. ``repeat`` numbers runs that differ in nothing but their random streams. ``learner``: its
    threads are 0, because they say how fast it is trained, and differ between machines.
    """

    annotator: Annotated[
        Literal["panel", "replay", "human", "oracle"],
        Meta(description="Who labels: the LLMs, stored outputs, you, or the true labels."),
    ] = "panel"
    replay: Annotated[
        str, Meta(description="The file of stored outputs: .npy [n, 2N, K] by row, or lines of `mollia annotate`.")
    ] = ""
    learner: LearnerSettings = LearnerSettings()
    repeat: int = 1

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """What a run is by a project's settings."""
        verdicts, loop = vars(settings.aggregate), vars(settings.run)
        return cls(**verdicts, **loop, learner=replace(settings.learner, threads=0))

    def settings(self, present: "Settings") -> "Settings":
        """The settings that the run was opened with; of what no run fixes the present ones."""
        verdicts = {known.name: getattr(self, known.name) for known in fields(AggregateSettings)}
        learner = replace(self.learner, threads=present.learner.threads)
        return replace(present, aggregate=AggregateSettings(**verdicts), learner=learner)


ENDS = ("rounds", "stop", "budget_tokens", "budget_minutes")  # fields that say when a run ends


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything in ``mollia.toml``."""

    labels: LabelSet
    noun: Annotated[str, Meta(description="What one text is, for example question, review, message.")] = "text"
    task: Annotated[str, Meta(description="The task in one sentence, as the LLMs read it.")] = ""
    random_seed: Annotated[int, Meta(ge=0, le=2**32 - 1, description="The same random seed gives the same run.")] = 0
    panel: PanelSettings = PanelSettings()
    annotate: AnnotateSettings = AnnotateSettings()
    aggregate: AggregateSettings = AggregateSettings()
    learner: LearnerSettings = LearnerSettings()
    run: RunSettings = RunSettings()
    multilabel: Annotated[bool, Meta(description="Whether a text may have several labels (docs/multilabel.md).")] = (
        False
    )

    @property
    def task_sentence(self) -> str:
        """The task as the prompt states it; the paper's sentence where none was given."""
        return self.task or f"Determine the most appropriate category for the {self.noun}."


# The values of the paper (AAAI 2026) and, where it does not say them, of its published code; docs/methods.md has what
# still differs. The only place that holds them; tests/loop/test_paper.py repeats them by hand.
PAPER: Mapping[str, Mapping[str, Any]] = {
    "annotate": {"shots": 0, "guidelines": False, "votes": "sampled", "samples": 10, "temperature": 0.7, "top_p": 0.9},
    # every pool item is read: 176,642 are those of the paper's largest pool, PubMed (Table 1)
    "aggregate": {"aggregator": "molam", "unlabelled": 176_642, "delta": 0.001},
    "learner": {
        "name": "transformer",
        "encoder": "distilbert-base-uncased",
        "max_tokens": 128,
        "learning_rate": 5e-5,
        "batch_size": 50,
        "steps": 1,
        "epochs": 40,
        "patience": 10,
        "validation": 0.0,  # its validation items are gold, and nothing is cut off what is labelled
        "validation_cap": 29_672,  # all of them: PubMed has most
    },
    "run": {
        "method": "mollia",
        "strategy": "coreset",
        "batch": 50,
        "rounds": 11,  # 12 iterations: the paper's first trains on the seed set, which is our round 0
        "cascade": (),
        "synthetic": False,
        "stop": "rounds",
        "budget_tokens": 0,
        "budget_minutes": 0.0,
        "pool_sample": 0,
        "alpha": 0.5,
        "lambda_start": 0.4,
        "lambda_end": 1.0,
    },
}


def by_paper(settings: Settings, but: Mapping[str, Collection[str]] = MappingProxyType({})) -> Settings:
    """The settings with the paper's values in the place of their own; ``but``: keys that stay, by section."""
    changed = {}
    for name, values in PAPER.items():
        given = {key: value for key, value in values.items() if key not in but.get(name, ())}
        changed[name] = replace(getattr(settings, name), **given)
    return replace(settings, **changed)


SECTIONS: dict[str, type] = {
    known.name: type(known.default) for known in fields(Settings) if is_dataclass(known.default)
}


def parse_settings(data: Mapping[str, Any], source: str = SETTINGS_FILE) -> Settings:
    """Settings from a parsed TOML document; a wrong one raises InputError naming ``source`` and the key."""
    _refuse_unknown(data, Settings, "", source)
    labels = data.get("labels")
    if not isinstance(labels, Mapping) or not all(isinstance(text, str) for text in labels.values()):
        raise InputError(f"{source}: [labels] must map each label to its description", 'for example: spam = ""')
    named = LabelSet(tuple(labels), tuple(labels.values()))
    return Settings(**checked({**data, "labels": named}, Settings, source))


def checked(data: Mapping[str, Any], section: type, source: str, prefix: str = "") -> dict[str, Any]:
    """``data`` as arguments of ``section``; a key or a value that cannot be one raises InputError naming it."""
    _refuse_unknown(data, section, prefix, source)
    return {
        known.name: _checked(data[known.name], known, f"{prefix}{known.name}", source)
        for known in fields(section)
        if known.name in data
    }


def _checked(value: Any, known: "Field[Any]", key: str, source: str) -> Any:
    if isinstance(known.type, type) and is_dataclass(known.type):
        if isinstance(value, known.type):
            return value
        if not isinstance(value, Mapping):
            raise InputError(f"{source}: {key!r} must be a section", f"write it as [{key}]")
        return known.type(**checked(value, known.type, source, f"{key}."))
    declared = key_of(known)
    if declared.kind == tuple[MemberSpec, ...]:
        return parse_members(value, f"{source}: {key}")
    expected = declared.words
    if isinstance(value, int | float) and _MOST < abs(value) < inf:
        expected = f"{declared.expected}; no number here is above {_MOST:.0e}"
    elif not (isinstance(value, float) and not isfinite(value)):  # TOML has inf and nan
        try:
            return convert(value, known.type)
        except ValidationError as error:
            if _is_of(value, declared.kind):
                expected = declared.expected + (f". {declared.description}" if declared.description else "")
            expected = expected or str(error)
    raise InputError(f"{source}: {key} is {value!r}", f"it must be {expected}")


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a value is of a type, if not within its limits."""
    try:
        convert(value, str if get_origin(kind) is Literal else kind)
    except ValidationError:
        return False
    return True


def _refuse_unknown(data: Mapping[str, Any], section: type, prefix: str, source: str) -> None:
    known = [one.name for one in fields(section)]
    for key in data:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            did_you_mean = f"did you mean {prefix}{near[0]}? " if near else ""
            raise InputError(f"{source}: unknown key {prefix}{key}", f"{did_you_mean}known: {', '.join(known)}")
