"""BADGE against k-means++ on gradients that are really built."""

import numpy as np
import pytest

from mollia_cli.domain.rng import stream
from mollia_cli.strategies.badge import Badge, plus_plus
from mollia_cli.strategies.base import Signals


def gradients(p: np.ndarray, h: np.ndarray) -> np.ndarray:
    residual = p - np.eye(p.shape[1])[p.argmax(axis=1)]
    return (residual[:, :, None] * h[:, None, :]).reshape(len(p), -1)


def example(size: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = stream(1)
    powers = np.exp(2 * rng.normal(size=(size, 4)))
    return powers / powers.sum(axis=1, keepdims=True), rng.normal(size=(size, 6))


def test_same_draws_as_k_means_plus_plus_on_the_gradients() -> None:
    p, h = example()
    g = gradients(p, h)
    rng = stream(2)
    rows = [int((g**2).sum(axis=1).argmax())]
    distances = [np.linalg.norm(g[rows[0]])]
    while len(rows) < 25:
        nearest = ((g[:, None] - g[rows]) ** 2).sum(axis=2).min(axis=1)
        walk = nearest.cumsum()
        rows.append(int((walk <= rng.random() * walk[-1]).sum()))
        distances.append(np.sqrt(nearest[rows[-1]]))
    ids = tuple(f"{row:03d}" for row in range(200))
    picks = Badge().select(Signals(ids, probabilities=p, embeddings=h), 25, stream(2))
    assert [int(chosen.id) for chosen in picks] == rows
    np.testing.assert_allclose([chosen.score for chosen in picks], distances, rtol=1e-9)


def test_spreads_over_tight_groups() -> None:
    rng = stream(3)
    group = np.arange(60) % 3
    p = np.tile([0.55, 0.45], (60, 1))
    h = 10 * np.eye(5)[group] + 0.01 * rng.normal(size=(60, 5))
    ids = tuple(f"{row:02d}" for row in range(60))
    for seed in range(20):
        picks = Badge().select(Signals(ids, probabilities=p, embeddings=h), 3, stream(seed))
        assert {int(chosen.id) % 3 for chosen in picks} == {0, 1, 2}


def test_starts_with_the_largest_gradient() -> None:
    p = np.array([[0.5, 0.5], [0.9, 0.1], [0.6, 0.4]])
    h = np.array([[1.0, 1.0], [6.0, 0.0], [0.0, 4.0]])
    picks = Badge().select(Signals(("a", "b", "c"), probabilities=p, embeddings=h), 1, stream(1))
    assert [(chosen.id, round(chosen.score, 12)) for chosen in picks] == [("c", round(0.4 * np.sqrt(2) * 4, 12))]


def test_duplicates_of_a_pick_come_last() -> None:
    p, h = example(10)
    rows = np.repeat(np.arange(10), 3)
    ids = tuple(f"{row:02d}" for row in range(30))
    signals = Signals(ids, probabilities=p[rows].astype(np.float32), embeddings=h[rows].astype(np.float32))
    picks = Badge().select(signals, 30, stream(4))
    assert sorted(int(chosen.id) // 3 for chosen in picks[:10]) == list(range(10))
    assert [chosen.score for chosen in picks[10:]] == [0.0] * 20
    assert [chosen.id for chosen in picks[10:]] == sorted(chosen.id for chosen in picks[10:])


def test_a_draw_of_zero_takes_the_first_row_that_has_any_weight() -> None:
    class Zero:
        def random(self) -> float:
            return 0.0

    positions = np.array([5.0, 5.0, 5.0, 7.0, 9.0])
    seeds = plus_plus(1, 0.0, 5, lambda row: (positions - positions[row]) ** 2, np.array([2, 1, 0, 3, 4]), Zero())
    assert seeds == [(1, 0.0), (3, 4.0), (4, 4.0), (2, 0.0), (0, 0.0)]


def test_half_precision_embeddings_are_as_their_numbers_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mollia_cli.strategies.base._AT_ONCE", 37)
    p, h = example()
    half = (200 * h).astype(np.float16)  # whose squares are too large for half precision
    ids = tuple(f"{row:03d}" for row in range(200))
    picks, single = (
        Badge().select(Signals(ids, probabilities=p, embeddings=kind), 25, stream(2))
        for kind in (half, half.astype(np.float32))
    )
    assert [pick.id for pick in picks] == [pick.id for pick in single]
    np.testing.assert_allclose([pick.score for pick in picks], [pick.score for pick in single], rtol=1e-6)
