"""k-means."""

import numpy as np

from mollia_cli.aggregators.kmeans import kmeans, squared_distances
from mollia_cli.domain.rng import stream


def test_kmeans_finds_separate_groups() -> None:
    rng = stream(0, "kmeans")
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = np.repeat(centres, 50, axis=0) + rng.normal(0, 0.3, (150, 2))
    found, nearest = kmeans(points, 3, stream(1, "kmeans"))
    assert squared_distances(centres, found).min(axis=1).max() < 0.1
    for group in range(3):
        assert len(set(nearest[50 * group : 50 * group + 50])) == 1


def test_fewer_distinct_points_than_centres() -> None:
    found, nearest = kmeans(np.repeat(np.eye(2), 5, axis=0), 4, stream(0, "kmeans"))
    assert len(found) == 2
    assert set(nearest) == {0, 1}
