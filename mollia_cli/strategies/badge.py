"""BADGE: k-means++ seeding in the space of the last layer's gradients.

Ash et al., Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds, ICLR 2020,
algorithm 1. With the predicted label y = argmax_k p_k, the gradient of the cross-entropy is the outer
product g = a (x) h with a = p - e_y and h the embedding, so that

    |g_i - g_j|^2 = |a_i|^2 |h_i|^2 + |a_j|^2 |h_j|^2 - 2 (a_i . a_j)(h_i . h_j)

and the n x K d matrix of gradients is never needed.
"""

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.strategies.base import EMBEDDINGS, PROBABILITIES, Pick, Signals, Strategy, over, rounded


class Badge(Strategy):
    """k-means++ on gradient embeddings; score = distance to the nearest gradient picked before.

    The first pick is the largest gradient, and its score is that gradient's norm.
    """

    name = "badge"
    source = "Ash et al., ICLR 2020, algorithm 1"
    needs: ClassVar[frozenset[str]] = frozenset({PROBABILITIES, EMBEDDINGS})

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n seeds in the order of drawing; once all that is left coincides with a pick, in the order of ids."""
        h = signals.require(EMBEDDINGS)
        a = signals.require(PROBABILITIES).astype(np.float64)
        a[np.arange(len(a)), a.argmax(axis=1)] -= 1.0
        norms = np.einsum("ij,ij->i", a, a) * over(h, lambda rows: np.einsum("ij,ij->i", rows, rows))
        rounding = float(2 * h.shape[1] + 16) * float(np.finfo(np.result_type(h, np.float32)).eps)

        def squared_distances(row: int) -> FloatArray:
            both = norms + norms[row]
            distances = both - 2.0 * (a @ a[row]) * over(h, lambda rows: rows @ h[row].astype(rows.dtype))
            return np.where(distances > rounding * both, distances, 0.0)

        order = signals.by_id()
        if not len(order) or n <= 0:
            return []
        first = int(order[np.argmax(rounded(norms)[order])])
        seeds = plus_plus(first, float(norms[first]), min(n, len(h)), squared_distances, order, rng)
        return [Pick(signals.ids[row], float(np.sqrt(distance))) for row, distance in seeds]


def plus_plus(
    first: int,
    first_distance: float,
    n: int,
    squared_distances: Callable[[int], FloatArray],
    order: IntArray,
    rng: np.random.Generator,
) -> list[tuple[int, float]]:
    """k-means++ seeding (Arthur & Vassilvitskii 2007): rows drawn with probability ~ D^2, and their D^2 when drawn.

    squared_distances(row): [N], from all rows to one, and exactly 0 to itself. order: [N], the rows in the
    order in which the random number walks through them, and in which rows at distance 0 come last.
    """
    seeds = [(first, first_distance)]
    nearest = np.full(len(order), np.inf)
    free = np.ones(len(order), dtype=bool)
    while len(seeds) < n:
        free[seeds[-1][0]] = False
        nearest = np.minimum(nearest, squared_distances(seeds[-1][0]))
        weights = np.cumsum(nearest[order])
        if weights[-1] > 0:
            row = int(order[np.searchsorted(weights, rng.random() * weights[-1], side="right")])
        else:
            row = int(order[np.argmax(free[order])])
        seeds.append((row, float(nearest[row])))
    return seeds
