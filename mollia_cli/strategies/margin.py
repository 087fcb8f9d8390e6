"""Uncertainty sampling by the margin between the two most probable labels."""

from typing import ClassVar

import numpy as np

from mollia_cli.strategies.base import PROBABILITIES, Pick, Signals, Strategy, top


class Margin(Strategy):
    """score = 1 - (p_(1) - p_(2)), p_(i) the i-th largest probability (0 to 1)."""

    name = "margin"
    source = "Scheffer, Decomain & Wrobel, Active Hidden Markov Models for Information Extraction, IDA 2001"
    needs: ClassVar[frozenset[str]] = frozenset({PROBABILITIES})

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n items whose two best labels are closest."""
        probabilities = signals.require(PROBABILITIES).astype(np.float64)
        second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
        return top(signals.ids, 1.0 - (first - second), n)
