"""Uncertainty of the panel: the items whose verdict has the lowest confidence."""

from typing import ClassVar

import numpy as np

from mollia_cli.strategies.base import CONFIDENCE, Pick, Signals, Strategy, top


class Doubt(Strategy):
    """score = 1 - confidence of the aggregator's verdict (0 to 1)."""

    name = "doubt"
    source = "least confidence (Lewis & Gale 1994) applied to the aggregator instead of the learner"
    needs: ClassVar[frozenset[str]] = frozenset({CONFIDENCE})

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n items with the lowest verdict confidence."""
        return top(signals.ids, 1.0 - signals.require(CONFIDENCE).astype(np.float64), n)
