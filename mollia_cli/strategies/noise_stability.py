"""Noise stability: the items whose outputs move most, and in different directions, under small weight noise."""

from typing import ClassVar

import numpy as np

from mollia_cli.strategies.base import PERTURBED, Pick, Signals, Strategy
from mollia_cli.strategies.coreset import pick_centres


class NoiseStability(Strategy):
    """k-center greedy from the origin over the deviations (f(x; w + noise_j) - f(x; w)) / |f(x; w)|, j = 1...J.

    score = distance of the deviations from the origin and from those picked before. The origin is an
    item that noise does not move, so the first pick is the least stable one. As many centres are
    picked as items are asked for: the published code of MoLLIA picks thousands and then takes an
    arbitrary part of them.
    """

    name = "noise_stability"
    source = "Li et al., Deep Active Learning with Noise Stability, AAAI 2024, algorithm 1"
    needs: ClassVar[frozenset[str]] = frozenset({PERTURBED})

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n centres in the order of picking."""
        return pick_centres(signals, signals.require(PERTURBED), None, n)
