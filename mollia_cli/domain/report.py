"""A report's contents as plain records: ``insight`` gathers them, ``reports`` draws them, JSON has them as they are.

None stands for what cannot be known. Shares and probabilities go from 0 to 1; intervals are 95%.
"""

from dataclasses import dataclass

from mollia_cli.domain.memory import megabytes
from mollia_cli.domain.people import Corrections


@dataclass(frozen=True, slots=True)
class Missing:
    """A section that cannot be written yet: why, and what to type next."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The project and the run that the report is about. ``people``: what people decided, and its effect."""

    project: str
    version: str
    made: str
    noun: str
    task: str
    labels: tuple[str, ...]
    descriptions: tuple[str, ...]
    run: str
    method: str
    strategy: str
    aggregator: str
    annotator: str
    rounds: int
    people: Corrections
    next_step: str


@dataclass(frozen=True, slots=True)
class Point:
    """One round of a run over its repeats.

    values: the metric of each repeat; mean and std (n - 1; None for one repeat) are theirs. verdicts:
    mean accuracy of the verdicts, None where no true label is known.
    """

    round: int
    labelled: int
    values: tuple[float, ...]
    mean: float
    std: float | None
    verdicts: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """A run and its repeats; ``metric`` is measured on so many test ``items``; of 0, on each round's validation items.

    No aggregator and no method where people or true labels are the verdicts.
    """

    name: str
    method: str
    strategy: str
    aggregator: str
    annotator: str
    repeats: int
    metric: str
    items: int
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class LLM:
    """One LLM: measured on ``items`` seeds (see ``MemberQuality``), and the cost of all that it observed.

    value: cross-fitted accuracy of the aggregator with the whole panel, less that without this LLM, and its interval.
    memory: bytes that it added to the process at most.
    """

    annotator: str
    items: int
    accuracy: float | None
    lower: float | None
    upper: float | None
    mass: float | None
    coverage: float | None
    invalid: float | None
    ece: float | None
    value: float | None
    value_lower: float | None
    value_upper: float | None
    observed: int
    tokens: int | None
    seconds: float | None
    memory: int | None

    @property
    def memory_mb(self) -> int | None:
        """``memory`` in units of 2^20 bytes."""
        return megabytes(self.memory)


@dataclass(frozen=True, slots=True)
class EncoderValue:
    """An encoder of the panel, and what it adds to the aggregator (see ``LLM.value``); None where that is unknown."""

    encoder: str
    value: float | None
    value_lower: float | None
    value_upper: float | None


@dataclass(frozen=True, slots=True)
class LabelsAlone:
    """A linear classifier of the same gold labels alone (``name``), measured ``on`` test items, or on seeds."""

    name: str
    on: str
    items: int
    accuracy: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class LLMsAdd:
    """The accuracy of ``who``, cross-fitted verdicts ``on`` some items, less that of ``than``, without LLMs."""

    who: str
    than: str
    on: str
    value: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the panel agrees on ``items`` observed items; cohen_kappa: [N][N]."""

    items: int
    krippendorff_alpha: float | None
    cohen_kappa: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class PanelQuality:
    """The LLMs of a panel and how they agree. ``aggregator``: the one that ``LLM.value`` was measured with.

    on: the items that the LLMs were measured on, in words.
    """

    aggregator: str
    on: str
    llms: tuple[LLM, ...]
    encoders: tuple[EncoderValue, ...]
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of a reliability diagram: n verdicts, their mean confidence and their accuracy."""

    lower: float
    upper: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class PerLabel:
    """One label: how many items have it and were given it; None where that is none."""

    label: str
    items: int
    given: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Labels with a confidence beside true labels: ``who`` gave them, ``on`` which items.

    lower, upper: of the accuracy, None of too few items. counts: [K][K], rows are true labels.
    ece_before, temperature: where the confidence was calibrated.
    """

    kind: str
    who: str
    on: str
    items: int
    accuracy: float
    lower: float | None
    upper: float | None
    macro_f1: float
    ece: float
    ece_before: float | None
    temperature: float | None
    reliability: tuple[ReliabilityBin, ...]
    counts: tuple[tuple[int, ...], ...]
    per_label: tuple[PerLabel, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One item, its verdict and the second most probable label, what each LLM answered, and who contradicts it.

    llms: (name, its most frequent answer or None, that answer's share). against: (who, label).
    """

    id: str
    text: str | None
    verdict: str
    confidence: float
    second: str
    second_confidence: float
    llms: tuple[tuple[str, str | None, float], ...]
    against: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """Verdicts to look at, of ``verdicts`` in all: the least confident, and the most confident of the contradicted.

    contradictions: (who, how often, of how many items that they labelled).
    """

    verdicts: int
    least_confident: tuple[Example, ...]
    contradicted: tuple[Example, ...]
    contradictions: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class LLMCost:
    """What one LLM has read under some settings (``key``); memory: bytes that it added at most; None: not measured."""

    annotator: str
    key: str
    in_panel: bool
    items: int
    tokens: int
    truncated: int
    seconds: float | None
    memory: int | None


@dataclass(frozen=True, slots=True)
class RoundCost:
    """A round: items it labelled, tokens the panel has read for them, seconds of each step.

    tokens: without the items that were read anyway (seeds and the unlabelled sample). memory: the process's peak in
    bytes while it trained, without LLMs that were kept loaded; None where it was not measured.
    """

    round: int
    selected: int
    tokens: int
    seconds: tuple[tuple[str, float], ...]
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What the labels cost on this machine; base_*: the seeds and the unlabelled sample, read before any selection."""

    llms: tuple[LLMCost, ...]
    base_items: int
    base_tokens: int
    rounds: tuple[RoundCost, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """What it takes to do it again: (name, value) pairs of settings by section, digests, library versions, the prompt.

    ``about``: when that was written down. Paths are shortened to their last part, because a report travels.
    """

    about: str
    settings: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    digests: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    prompt: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where items came from, and when."""

    name: str
    items: int
    imported: str


@dataclass(frozen=True, slots=True)
class Split:
    """The items of a split; by_label: [K] known labels; characters: shortest, median and longest text."""

    split: str
    items: int
    labelled: int
    by_label: tuple[int, ...]
    characters: tuple[int, int, int]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class DataCard:
    """The data, split by split; verdicts: [K] labels of the run's verdicts; synthetic: texts by LLMs, by label."""

    splits: tuple[Split, ...]
    verdicts: tuple[int, ...]
    synthetic: dict[str, int]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A round's classifier: what it was trained on, where it is. epochs: None where frozen; sha256: of its weights."""

    run: str
    round: int
    learner: str
    encoder: str
    seeds: int
    verdicts: int
    trained_on: int
    unread: int
    validation: str
    epochs: int | None
    folder: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything, section by section; a section that cannot be written yet says why."""

    overview: Overview
    curves: tuple[Curve, ...] | Missing
    panel: PanelQuality | Missing
    measurements: tuple[Measurement | Missing, ...]
    labels_alone: LabelsAlone | Missing
    llms_add: LLMsAdd | Missing
    examples: Examples | Missing
    cost: Cost | Missing
    provenance: Provenance
    data: DataCard | Missing
    model: ModelCard | Missing
