"""Core-set selection by k-center greedy: each pick is the item farthest from everything labelled or picked.

Sener & Savarese, Active Learning for Convolutional Neural Networks: A Core-Set Approach, ICLR 2018,
algorithm 1:  u = argmax_{i in pool} min_{j in labelled + picked} |x_i - x_j|.

The distance to the nearest centre can only shrink as centres are added, so an old value bounds the
new one from above, and few rows need a new one (lazy greedy, Minoux 1978). The first bounds come
from a sample of the labelled rows in float32, with room for every rounding error; after that only
the rows whose bound reaches the best exact distance are measured, in float64.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray
from mollia_cli.strategies.base import EMBEDDINGS, Pick, RealArray, Signals, Strategy, check_finite

_COARSE_CENTRES = 64
_COARSE_ROWS = 4096
_FINE_ROWS = 512


class CoreSet(Strategy):
    """k-center greedy on the learner's embeddings; score = distance to the nearest labelled or picked item."""

    name = "coreset"
    source = "Sener & Savarese, ICLR 2018, algorithm 1"
    needs: ClassVar[frozenset[str]] = frozenset({EMBEDDINGS})

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n centres in the order of picking. With nothing labelled, distances start from the origin."""
        return pick_centres(signals, signals.require(EMBEDDINGS), signals.labelled_embeddings, n)


def pick_centres(signals: Signals, pool: RealArray, centres: RealArray | None, n: int) -> list[Pick]:
    """k-center greedy over the candidates from ``centres`` (without any: from the origin), ties broken by id."""
    if centres is None or not len(centres):
        centres = np.zeros((1, pool.shape[1]))
    rank = np.empty(len(pool), dtype=np.int64)
    rank[signals.by_id()] = np.arange(len(pool))
    return [Pick(signals.ids[row], distance) for row, distance in _greedy(pool, centres, n, rank)]


def k_center_greedy(pool: RealArray, labelled: RealArray, n: int) -> IntArray:
    """The rows of ``pool`` that a float64 k-center greedy picks, in order.

    pool: [N, d], float32 or float64. labelled: [L, d]; with L = 0 the first pick is row 0.
    Returns min(n, N) distinct indices; a tie goes to the lowest. Distances are, to the last bit,
    those of ``((pool - centre) ** 2).sum(axis=1)`` in float64. Extra memory does not grow with N d.
    Raises InputError for NaN, infinity or shapes that do not fit.
    """
    check_finite(pool, "pool")
    picks = _greedy(pool, labelled, n, np.arange(len(pool)))
    return np.array([row for row, _ in picks], dtype=np.int64)


def _greedy(pool: RealArray, labelled: RealArray, n: int, rank: IntArray) -> Iterator[tuple[int, float]]:
    """Picked rows and their distances (the first is inf without a centre); ties go to the lowest rank."""
    picks = max(0, min(n, len(pool)))
    nearest = _Nearest(pool, labelled, picks)
    for _ in range(picks):
        farthest = nearest.farthest()
        row = int(farthest[np.argmin(rank[farthest])])
        yield row, float(np.sqrt(nearest.squared[row]))
        nearest.add(row)


class _Nearest:
    """Squared distances of the pool's rows to their nearest centre: exact where all centres are met, else bounds.

    squared: [N]; -inf once picked. met: [N], against how many of the centres, in their order, a row
    was measured; 0 while it has only its coarse bound.
    """

    def __init__(self, pool: RealArray, labelled: RealArray, picks: int) -> None:
        if pool.ndim != 2 or labelled.ndim != 2 or labelled.shape[1] != pool.shape[1]:
            raise InputError(
                f"pool of shape {pool.shape} and labelled rows of shape {labelled.shape} do not fit together",
                "give both as [rows, dimensions] from the same encoder",
            )
        check_finite(labelled, "labelled")
        self.pool = pool
        self.count = len(labelled)
        self.centres = np.empty((self.count + picks, pool.shape[1]))
        self.centres[: self.count] = labelled
        # Norms, and rounding errors with them, are small around the centres' mean. It is rounded to
        # float32 so that both precisions subtract the same number.
        self.origin = self.centres[: self.count].sum(axis=0).astype(np.float32) / np.float32(max(self.count, 1))
        self.squared = np.full(len(pool), np.inf)
        self.met = np.zeros(len(pool), dtype=np.int32)
        if self.count:
            self._bound()

    def farthest(self) -> IntArray:
        """The rows at the largest distance, all of them measured against every centre."""
        rows = np.array([np.argmax(self.squared)])
        while len(rows):
            self._measure(rows[self.met[rows] == 0])
            self._measure(rows[self.met[rows] > 0])
            rows = self._contenders()
        return np.flatnonzero(self.squared == self.squared.max())

    def add(self, row: int) -> None:
        """Make a row a centre and take it out of the pool."""
        self.centres[self.count] = self.pool[row]
        self.count += 1
        self.squared[row] = -np.inf

    def _contenders(self) -> IntArray:
        """Up to a block of the rows whose bound reaches the best exact distance, the highest bounds first."""
        stale = self.met < self.count
        best = np.max(self.squared, where=~stale, initial=0.0)
        rows = np.flatnonzero(stale & (self.squared >= best) & (self.squared > 0.0))
        if len(rows) > _FINE_ROWS:
            rows = rows[np.argpartition(self.squared[rows], -_FINE_ROWS)[-_FINE_ROWS:]]
        return rows

    def _bound(self) -> None:
        """Upper bounds for all rows from a few centres in float32."""
        sample = np.unique(np.linspace(0, self.count - 1, _COARSE_CENTRES).astype(np.int64))
        with np.errstate(over="ignore", invalid="ignore"):
            centres = (self.centres[sample] - self.origin).astype(np.float32)
            for start in range(0, len(self.pool), _COARSE_ROWS):
                rows = (self.pool[start : start + _COARSE_ROWS] - self.origin).astype(np.float32, copy=False)
                upper = _Expansion(rows, centres).upper()
                self.squared[start : start + _COARSE_ROWS] = np.where(np.isnan(upper), np.inf, upper)

    def _measure(self, rows: IntArray) -> None:
        """Bring rows up to date. All must have met some centres, or none."""
        first = int(self.met[rows].min(initial=self.count))
        if first == self.count:
            return
        exact = self.squared[rows] if first else np.full(len(rows), np.inf)
        values = self.pool[rows].astype(np.float64, copy=False)
        centres = self.centres[first : self.count]
        expansion = _Expansion(values - self.origin, centres - self.origin)
        near = np.argwhere(expansion.may_be_below(np.minimum(exact, expansion.upper())))
        for start in range(0, len(near), _FINE_ROWS):
            row, centre = near[start : start + _FINE_ROWS].T
            difference = values[row] - centres[centre]
            np.minimum.at(exact, row, np.square(difference, out=difference).sum(axis=1))
        self.squared[rows] = exact
        self.met[rows] = self.count


class _Expansion:
    """|x - c|^2 = |x|^2 + |c|^2 - 2 x.c for all rows and centres by one matrix product, and how wrong it can be.

    A dot product of d terms is off by at most d u |x||c| (Higham, Accuracy and Stability of Numerical
    Algorithms, section 3.1), u half of eps; ``slack`` is more than twice the sum of what the three
    terms, the shift of the origin and a direct evaluation can add up to.
    """

    def __init__(self, rows: RealArray, centres: RealArray) -> None:
        kind = np.finfo(rows.dtype)
        self.slack = float(2 * rows.shape[1] + 16) * float(kind.eps)
        self.floor = rows.shape[1] * float(kind.tiny)
        self.row_norms = np.einsum("ij,ij->i", rows, rows).astype(np.float64)
        self.centre_norms = np.einsum("ij,ij->i", centres, centres)
        self.rest = rows @ (-2.0 * centres.T).astype(rows.dtype)
        self.rest += self.centre_norms

    def upper(self) -> FloatArray:
        """[rows], no smaller than the squared distance to the nearest centre."""
        rest = (self.rest + self.slack * self.centre_norms).min(axis=1)
        return np.asarray(rest + (1.0 + self.slack) * self.row_norms + self.floor)

    def may_be_below(self, limits: FloatArray) -> BoolArray:
        """[rows, centres], False only where the squared distance is above the row's limit."""
        rest = limits - (1.0 - self.slack) * self.row_norms + self.floor
        return np.asarray(self.rest - self.slack * self.centre_norms <= rest[:, None])
