"""Mean of the annotators' vote shares (self-consistency over the panel)."""

from dataclasses import dataclass
from typing import ClassVar

from mollia_cli.aggregators.base import Untrained
from mollia_cli.aggregators.features import normalised, scores, votes
from mollia_cli.domain.observations import FloatArray, Panel


@dataclass(eq=False)
class MeanConsistency(Untrained):
    """The mean over annotators of c (Eq. 3), normalised; without any valid vote, of z."""

    name: ClassVar[str] = "mean_consistency"
    source: ClassVar[str] = "Wang et al. 2023 (ICLR), over annotators"

    def _predict(self, panel: Panel) -> FloatArray:
        # A millionth of z breaks the ties that T = 10 votes leave.
        shares = votes(panel).mean(axis=1) + 1e-6 * normalised(scores(panel)).mean(axis=1)
        return normalised(shares)
