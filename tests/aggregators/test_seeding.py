"""k-means and the choice of seed items."""

import numpy as np

from mollia_cli.aggregators.kmeans import kmeans, squared_distances
from mollia_cli.aggregators.seeding import seed_rows
from mollia_cli.domain.rng import stream

from .panels import made_panel, panel_of


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


def test_every_opinion_gets_a_seed() -> None:
    z = np.full((90, 2, 3), 0.05)
    opinion = np.repeat([0, 1, 2], [70, 15, 5])
    z[np.arange(90), :, opinion] = 0.9
    rows = seed_rows(panel_of(z, z), 3, stream(0, "seed"))
    # Largest cluster first.
    assert opinion[rows].tolist() == [0, 1, 2]


def test_the_rest_is_drawn_where_opinions_coincide() -> None:
    z = np.full((20, 2, 3), 0.3)
    rows = seed_rows(panel_of(z, z), 5, stream(0, "seed"))
    assert len(set(rows)) == 5


def test_asking_for_more_than_there_is() -> None:
    panel, _ = made_panel(4)
    assert sorted(seed_rows(panel, 10, stream(0, "seed"))) == [0, 1, 2, 3]
    assert seed_rows(panel.take([]), 3, stream(0, "seed")) == []
