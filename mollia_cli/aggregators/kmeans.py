"""k-means on small dense arrays."""

import numpy as np

from mollia_cli.domain.observations import FloatArray, IntArray


def kmeans(points: FloatArray, k: int, rng: np.random.Generator, passes: int = 25) -> tuple[FloatArray, IntArray]:
    """Centres [k', d] and each point's centre [n]; k' < k where there are fewer distinct points.

    k-means++ start (Arthur and Vassilvitskii 2007), then Lloyd's passes until nothing moves.
    """
    centres = _start(points, k, rng)
    nearest = squared_distances(points, centres).argmin(axis=1)
    for _ in range(passes):
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, points)
        counts = np.bincount(nearest, minlength=len(centres))
        # A centre that lost all its points stays where it is.
        centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
        moved = squared_distances(points, centres).argmin(axis=1)
        if np.array_equal(moved, nearest):
            break
        nearest = moved
    return centres, nearest.astype(np.int64)


def squared_distances(points: FloatArray, centres: FloatArray) -> FloatArray:
    """[n, k] squared Euclidean distances, never negative."""
    distances = (points**2).sum(axis=1)[:, None] - 2.0 * points @ centres.T + (centres**2).sum(axis=1)
    clipped: FloatArray = np.maximum(distances, 0.0)
    return clipped


def _start(points: FloatArray, k: int, rng: np.random.Generator) -> FloatArray:
    chosen = [int(rng.integers(len(points)))]
    gap = squared_distances(points, points[chosen])[:, 0]
    for _ in range(k - 1):
        # Below this, what is left of a distance is rounding: every point coincides with a centre.
        if gap.sum() <= 1e-9 * len(points):
            break
        chosen.append(int(rng.choice(len(points), p=gap / gap.sum())))
        gap = np.minimum(gap, squared_distances(points, points[chosen[-1:]])[:, 0])
    return points[chosen].copy()
