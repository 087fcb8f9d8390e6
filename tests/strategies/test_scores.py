"""Scores worked by hand."""

from math import log, sqrt

import numpy as np
import pytest

from mollia_cli.domain.rng import stream
from mollia_cli.strategies import STRATEGIES
from mollia_cli.strategies.base import Signals, top

PROBABILITIES = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]])


def scores(name: str, n: int = 4, **values: np.ndarray) -> list[tuple[str, float]]:
    picks = STRATEGIES.load(name)().select(
        Signals(tuple("abcd"[: len(next(iter(values.values())))]), **values), n, stream(1)
    )
    return [(chosen.id, pytest.approx(chosen.score, abs=1e-9)) for chosen in picks]


def test_entropy() -> None:
    high = -(0.4 * log(0.4) + 0.6 * log(0.3))
    assert scores("entropy", probabilities=PROBABILITIES) == [("d", high), ("a", 1.5 * log(2)), ("c", log(2)), ("b", 0)]


def test_margin() -> None:
    assert scores("margin", probabilities=PROBABILITIES) == [("c", 1.0), ("d", 0.9), ("a", 0.75), ("b", 0.0)]


def test_least_confidence() -> None:
    expected = [("d", 0.6), ("a", 0.5), ("c", 0.5), ("b", 0.0)]
    assert scores("least_confidence", probabilities=PROBABILITIES) == expected


def test_doubt() -> None:
    assert scores("doubt", confidence=np.array([0.9, 0.25, 0.5])) == [("b", 0.75), ("c", 0.5), ("a", 0.1)]


def test_disagreement_is_largest_where_annotators_contradict_each_other() -> None:
    panel = np.array(
        [
            [[0.5, 0.0], [0.0, 0.1]],  # certain and contrary: log 2, whatever their mass on the labels
            [[0.3, 0.3], [0.2, 0.2]],  # both undecided: 0
            [[0.9, 0.0], [0.0, 0.0]],  # the second says nothing: as if undecided
        ]
    )
    silent = -(0.75 * log(0.75) + 0.25 * log(0.25)) - log(2) / 2
    assert scores("disagreement", panel=panel) == [("a", log(2)), ("c", silent), ("b", 0.0)]


def test_noise_stability_starts_with_the_least_stable_and_avoids_its_neighbours() -> None:
    perturbed = np.array([[3.0, 0.0], [2.95, 0.0], [0.0, 2.0], [0.1, 0.0]])
    expected = [("a", 3.0), ("c", 2.0), ("d", 0.1), ("b", 0.05)]
    assert scores("noise_stability", perturbed=perturbed) == expected


def test_coreset_measures_from_what_is_labelled() -> None:
    embeddings = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0], [-2.0, 0.0]])
    found = scores("coreset", n=3, embeddings=embeddings, labelled_embeddings=np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert found == [("c", sqrt(29)), ("d", 2.0), ("b", 1.0)]


def test_random_draws_every_item_equally_often() -> None:
    drawn = np.zeros(10)
    for seed in range(2000):
        for chosen in STRATEGIES.load("random")().select(Signals(tuple("0123456789")), 3, stream(seed, "draw")):
            drawn[int(chosen.id)] += 1
    assert abs(drawn / 2000 - 0.3).max() < 0.05  # five standard errors


def test_top_breaks_ties_of_rounding_errors_by_id() -> None:
    nearly = np.array([0.1 + 0.2, 0.3, 0.5, 0.3])
    assert [chosen.id for chosen in top(("d", "c", "b", "a"), nearly, 3)] == ["b", "a", "c"]
