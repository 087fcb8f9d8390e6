"""Majority vote of the annotators (Li et al. 2024, "More agents is all you need")."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mollia_cli.aggregators.base import Untrained
from mollia_cli.aggregators.features import normalised, one_hot, scores, votes
from mollia_cli.domain.observations import FloatArray, Panel

# Small enough that no sum of shares (at most 1) outweighs one annotator of a thousand.
_TIE = 1e-4


@dataclass(eq=False)
class Vote(Untrained):
    """Each annotator's most voted label counts one; one without a valid answer abstains.

    Ties are broken by the mean share of votes, then by the mean label probability.
    """

    name: ClassVar[str] = "vote"
    source: ClassVar[str] = "Li et al. 2024 (TMLR)"

    def _predict(self, panel: Panel) -> FloatArray:
        shares, z = votes(panel), normalised(scores(panel))
        # Within one annotator equal vote counts are common (T = 10): its probabilities decide.
        favourite = one_hot((shares + _TIE * z).argmax(axis=2), self.classes)
        ballots = (favourite * (shares.sum(axis=2, keepdims=True) > 0)).mean(axis=1)
        return normalised(ballots + _TIE * shares.mean(axis=1) + _TIE**2 * np.asarray(z.mean(axis=1)))
