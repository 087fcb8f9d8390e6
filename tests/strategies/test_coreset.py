"""k-center greedy against the plain float64 greedy."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.rng import stream
from mollia_cli.strategies.base import Signals
from mollia_cli.strategies.coreset import CoreSet, k_center_greedy


def plain_greedy(pool: np.ndarray, labelled: np.ndarray, n: int) -> list[int]:
    pool, labelled = pool.astype(np.float64), labelled.astype(np.float64)
    nearest = np.full(len(pool), np.inf)
    for centre in labelled:
        nearest = np.minimum(nearest, ((pool - centre) ** 2).sum(axis=1))
    picked: list[int] = []
    while len(picked) < min(n, len(pool)):
        row = int(np.argmax(nearest))
        picked.append(row)
        nearest = np.minimum(nearest, ((pool - pool[row]) ** 2).sum(axis=1))
        nearest[picked] = -np.inf
    return picked


def agree(pool: np.ndarray, labelled: np.ndarray, n: int) -> None:
    assert k_center_greedy(pool, labelled, n).tolist() == plain_greedy(pool, labelled, n)


@pytest.fixture(params=[np.float32, np.float64])
def precision(request: pytest.FixtureRequest) -> type:
    return request.param


@pytest.mark.parametrize("labelled", [0, 1, 5, 64, 200])
@pytest.mark.parametrize("shape", ["gaussian", "clusters", "far from the origin", "low rank", "unit length"])
@pytest.mark.parametrize("precision", [np.float16, np.float32, np.float64])
def test_same_picks_as_the_plain_greedy(shape: str, labelled: int, precision: type) -> None:
    rng = stream(1, shape, labelled)
    points = rng.normal(size=(6000 + labelled, 24))
    if shape == "clusters":
        points = 0.1 * points + 5 * rng.normal(size=(7, 24))[rng.integers(7, size=len(points))]
    elif shape == "far from the origin":
        points += 1000
    elif shape == "low rank":
        points = points[:, :3] @ rng.normal(size=(3, 24))
    elif shape == "unit length":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    points = points.astype(precision)
    agree(points[labelled:], points[:labelled], 40)


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e12, 1e30])
def test_scales_at_which_float32_squares_vanish_or_overflow(scale: float, precision: type) -> None:
    points = (stream(2).normal(size=(3000, 6)) * scale).astype(precision)
    agree(points[20:], points[:20], 15)


def test_grid_full_of_ties(precision: type) -> None:
    grid = np.stack(np.meshgrid(*[np.arange(12.0)] * 3), axis=-1).reshape(-1, 3).astype(precision)
    agree(grid, grid[:1], 60)
    agree(grid, grid[:0], 60)


def test_duplicates(precision: type) -> None:
    points = np.repeat(stream(3).normal(size=(40, 5)).astype(precision), 50, axis=0)
    agree(points, points[:3], 100)
    agree(points, points[:0], 100)


def test_all_rows_the_same(precision: type) -> None:
    agree(np.full((3000, 4), 0.1, dtype=precision), np.full((2, 4), 0.1, dtype=precision), 30)


def test_nearly_equal_rows_are_told_apart() -> None:
    base = stream(4).normal(size=(1, 16))
    pool = base + stream(5).normal(size=(3000, 16)) * 1e-9
    agree(pool, base, 25)


def test_ties_by_id_are_ties_of_up_to_date_distances() -> None:
    """ "b" is as far as "c" when "a" is picked, but beside it: its old distance must not win the next tie."""
    embeddings = np.array([[-3.0, 0.0], [3.0, 0.0], [2.0, np.sqrt(5.0)], [0.5, 0.0]])
    signals = Signals(("c", "a", "b", "d"), embeddings=embeddings, labelled_embeddings=np.zeros((1, 2)))
    picks = CoreSet().select(signals, 2, stream(9))
    assert [(chosen.id, round(chosen.score, 9)) for chosen in picks] == [("a", 3.0), ("c", 3.0)]


def test_more_picks_than_rows() -> None:
    points = stream(6).normal(size=(30, 4))
    assert sorted(k_center_greedy(points[10:], points[:10], 50)) == list(range(20))
    agree(points[10:], points[:10], 50)


def test_empty_pool_and_no_picks() -> None:
    points = stream(6).normal(size=(30, 4))
    assert k_center_greedy(points[:0], points, 5).tolist() == []
    assert k_center_greedy(points, points, 0).tolist() == []


def test_nan_and_infinity_are_refused_with_their_place() -> None:
    points = stream(7).normal(size=(30, 4))
    for value in (np.nan, np.inf):
        broken = points.copy()
        broken[12, 3] = value
        with pytest.raises(InputError, match=r"'pool' holds NaN or infinity, first at index \(12, 3\)"):
            k_center_greedy(broken, points, 5)
        with pytest.raises(InputError, match="'labelled' holds NaN"):
            k_center_greedy(points, broken, 5)


def test_shapes_that_do_not_fit_are_refused() -> None:
    points = stream(7).normal(size=(30, 4))
    with pytest.raises(InputError, match="do not fit together"):
        k_center_greedy(points, points[:, :3], 5)


@pytest.mark.parametrize("labelled", [0, 100])
def test_extra_memory_does_not_grow_with_the_pool(labelled: int) -> None:
    points = stream(8).normal(size=(40_000, 64)).astype(np.float32)
    tracemalloc.start()
    k_center_greedy(points[labelled:], points[:labelled], 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * points.nbytes  # blocks and 12 bytes a row; a float64 copy of the pool would take 2.0


def test_a_mapped_file_of_half_precision_is_not_copied(tmp_path: Path) -> None:
    points = stream(8).normal(size=(40_000, 64)).astype(np.float16)
    (tmp_path / "points").write_bytes(points.tobytes())
    pool = np.memmap(tmp_path / "points", np.float16, "r", shape=points.shape)
    tracemalloc.start()
    picks = k_center_greedy(pool[100:], pool[:100], 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * 2 * points.nbytes  # as in single precision
    assert picks.tolist() == k_center_greedy(points[100:].astype(np.float64), points[:100], 20).tolist()
