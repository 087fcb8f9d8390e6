"""Uncertainty sampling by the probability of the predicted label."""

from typing import ClassVar

import numpy as np

from mollia_cli.strategies.base import PROBABILITIES, Pick, Signals, Strategy, top


class LeastConfidence(Strategy):
    """score = 1 - max_k p_k (0 to 1 - 1/K)."""

    name = "least_confidence"
    source = "Lewis & Gale, A Sequential Algorithm for Training Text Classifiers, SIGIR 1994"
    needs: ClassVar[frozenset[str]] = frozenset({PROBABILITIES})

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n items whose predicted label is least probable."""
        return top(signals.ids, 1.0 - signals.require(PROBABILITIES).astype(np.float64).max(axis=1), n)
