"""Uncertainty sampling by predictive entropy."""

from typing import ClassVar

import numpy as np

from mollia_cli.strategies.base import PROBABILITIES, Pick, Signals, Strategy, entropy_of, top


class Entropy(Strategy):
    """score = -sum_k p_k log p_k, in nats (0 to log K)."""

    name = "entropy"
    source = "Shannon 1948; Settles, Active Learning Literature Survey, 2009, section 3.1"
    needs: ClassVar[frozenset[str]] = frozenset({PROBABILITIES})

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n items whose prediction has the highest entropy."""
        return top(signals.ids, entropy_of(signals.require(PROBABILITIES)), n)
