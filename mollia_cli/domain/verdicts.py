"""Verdicts: the aggregator's results for items."""

from dataclasses import dataclass

from mollia_cli.domain.observations import FloatArray


@dataclass(frozen=True, slots=True)
class Verdict:
    """y+ (``label``, an index), the probabilities [K] behind it, and y- (``negatives``, indices; Eq. 5)."""

    item_id: str
    label: int
    confidence: float
    probabilities: FloatArray
    negatives: tuple[int, ...] = ()
