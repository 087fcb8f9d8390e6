"""Random sampling: the baseline that every other strategy has to beat."""

from typing import ClassVar

import numpy as np

from mollia_cli.strategies.base import Pick, Signals, Strategy, top


class Random(Strategy):
    """A uniform sample without replacement; the score is the item's draw from U(0, 1)."""

    name = "random"
    source = "uniform sampling without replacement"
    needs: ClassVar[frozenset[str]] = frozenset()

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n highest draws. Draws are dealt out in the order of ids, so the pool's order does not matter."""
        ids = sorted(signals.ids)
        return top(ids, rng.random(len(ids)), n)
