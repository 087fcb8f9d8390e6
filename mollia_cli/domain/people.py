"""What people decided, and how they agree, as plain records; as in ``domain/report.py``, None is what is not known."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two people, the items that both have labelled, the share of the same labels, and Cohen's kappa."""

    first: str
    second: str
    items: int
    share: float
    cohen_kappa: float | None


@dataclass(frozen=True, slots=True)
class PeopleAgreement:
    """How people agree on the ``items`` that two or more of them have labelled, adjudications apart; every pair."""

    items: int
    krippendorff_alpha: float | None
    pairs: tuple[PairAgreement, ...]


@dataclass(frozen=True, slots=True)
class ThresholdCheck:
    """Verdicts from ``confidence`` on should reach the precision ``target``: what people's labels show.

    ``reviewed``: such items, drawn at random, that people labelled; ``precision``: the verdicts' on these.
    """

    target: float
    confidence: float
    reviewed: int
    precision: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class LabelEffect:
    """Accuracy of verdicts on ``items`` with a known true label, as people's labels changed it.

    before: of the verdicts; with_labels: with people's in their place; after: of a newer aggregation, None without one.
    """

    items: int
    before: float
    with_labels: float
    after: float | None


@dataclass(frozen=True, slots=True)
class Corrections:
    """How many items people labelled (``by``: person -> how many), how often against the verdict, and the effect.

    ``labels``: items whose label holds; ``seed``: seed items among them. ``agreement``: on what two or more people have
    labelled, None where there is nothing. ``disagreements``: items that wait for adjudication; ``adjudicated``: person
    -> how many are settled. ``reviewed``: labelled items that had a verdict; ``contradicted``: those of them whose
    label is another. ``threshold`` and ``accuracy`` are None where they cannot be known.
    """

    labels: int
    by: dict[str, int]
    seed: int
    ignored: int
    notes: int
    agreement: PeopleAgreement | None
    disagreements: int
    adjudicated: dict[str, int]
    reviewed: int
    contradicted: int
    threshold: ThresholdCheck | None
    accuracy: LabelEffect | None
