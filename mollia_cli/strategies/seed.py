"""The first items to label: a typical one of each region of the panel's observations."""

from typing import ClassVar

import numpy as np

from mollia_cli.strategies.base import PANEL, Pick, Signals, Strategy
from mollia_cli.strategies.bemps import nearest_to_centres

# Keeps the logarithm of a label that an annotator rules out within reach of the others.
_FLOOR = 1e-3


class Seed(Strategy):
    """The items nearest the n centres of k-means on the annotators' label log-probabilities.

    score = how many candidates are nearer to this item than to the other picks, so that whoever
    stops early has labelled the largest regions. Where fewer than n observations differ, other items
    complete the batch in the order of their ids, with score 0.
    """

    name = "seed"
    source = "sampling by clustering for the first labels (Zhu et al., COLING 2008), on the annotators' scores"
    needs: ClassVar[frozenset[str]] = frozenset({PANEL})

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n items, those that stand for most others first."""
        order = signals.by_id()
        n = min(n, len(order))
        if n < 1:
            return []
        z = signals.require(PANEL)[order].astype(np.float64)
        mass = z.sum(axis=2, keepdims=True)
        p = np.where(mass > 0, z / np.where(mass > 0, mass, 1.0), 1.0 / z.shape[2])
        points = np.log(p + _FLOOR).reshape(len(order), -1)
        chosen = nearest_to_centres(points, n, rng)
        gaps = np.stack([np.square(points - points[row]).sum(axis=1) for row in chosen])
        stands_for = np.bincount(gaps.argmin(axis=0), minlength=len(chosen))
        scores = dict(zip(chosen, stands_for.tolist(), strict=True))
        rest = [row for row in range(len(order)) if row not in scores][: n - len(chosen)]
        rows = sorted(chosen, key=lambda row: (-scores[row], row)) + rest
        return [Pick(signals.ids[order[row]], float(scores.get(row, 0))) for row in rows]
