"""BEMPS with the Brier score (CoreMSE): items whose label would improve the predictions elsewhere the most.

Tan, Du & Buntine, Bayesian Estimate of Mean Proper Scores for Diversity-Enhanced Active Learning, TPAMI
2023 (and NeurIPS 2021), batch mode. E members p_e, uniform prior, p = mean_e p_e, and q_y the mean of the
members weighted by their posterior after seeing label y at x. The score of x at a point x' is

    v(x, x') = sum_y p(y|x) sum_e |p_e(.|x') - q_y(.|x')|^2

and its score is the mean of v over x'. A batch is diverse in v(x, .): k-means on its direction.

With c_e = p_e - p, the posterior weights minus 1/E are c_e(y|x) / (E p(y|x)), and v becomes bilinear:

    v(x, x') = < I + A(x), G(x') >,   G_ef = sum_k c_e(k|x') c_f(k|x'),   A_ef = sum_y c_e c_f(y|x) / (E p(y|x))

so v has rank E (E - 1) / 2 at most (sum_e c_e = 0), X' can be the whole pool, and no pool x X' matrix is built.
"""

import warnings
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.strategies.badge import plus_plus
from mollia_cli.strategies.base import DROPOUT, Pick, RealArray, Signals, Strategy, rounded

_KEPT = 0.5
_LLOYD_STEPS = 20


class Bemps(Strategy):
    """CoreMSE in batch mode, X' = the whole pool; score = mean over x' of v(x, x')."""

    name = "bemps"
    source = "Tan, Du & Buntine, TPAMI 2023, CoreMSE, batch mode"
    needs: ClassVar[frozenset[str]] = frozenset({DROPOUT})

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n items nearest to the centres of the better half's k-means, best score first."""
        order = signals.by_id()
        if not len(order):
            return []
        scores, vectors = core_mse(signals.require(DROPOUT)[:, order])
        return pick_diverse([signals.ids[row] for row in order], scores, vectors, n, rng)


def core_mse(members: RealArray) -> tuple[FloatArray, FloatArray]:
    """CoreMSE of [E, N, K] members: the scores [N], and vectors [N, r] with the inner products of the v(x, .)."""
    p = members.mean(axis=0, dtype=np.float64)
    c = members - p
    first, second = np.triu_indices(len(members))
    moments = _pair_products(c, first, second)
    moments[:, first != second] *= 2.0  # the lower triangle, which is left out
    weights = _pair_products(c / np.sqrt(len(members) * np.where(p > 0, p, 1.0)), first, second)
    weights[:, first == second] += 1.0
    values, basis = np.linalg.eigh(moments.T @ moments)
    real = values >= 1e-13 * values[-1]  # the others have no length but rounding errors
    root = basis[:, real] * np.sqrt(np.maximum(values[real], 0.0))
    return weights @ moments.mean(axis=0), weights @ root


def _pair_products(c: FloatArray, first: IntArray, second: IntArray) -> FloatArray:
    """[N, pairs]: sum over labels of c_e c_f."""
    return np.stack([np.einsum("nk,nk->n", c[e], c[f]) for e, f in zip(first, second, strict=True)], axis=1)


def pick_diverse(
    ids: Sequence[str], scores: FloatArray, vectors: FloatArray, n: int, rng: np.random.Generator
) -> list[Pick]:
    """BEMPS's batch: of the better half, the item nearest each of n k-means centres of the vectors' directions.

    ids must be sorted. Where fewer than n items are distinct, the best-scored others complete the batch.
    """
    kept = np.argsort(-rounded(scores), kind="stable")[: max(n, round(_KEPT * len(ids)))]
    chosen: list[int] = []
    if 0 < n < len(kept):
        norms = np.linalg.norm(vectors[kept], axis=1, keepdims=True)
        chosen = nearest_to_centres(vectors[kept] / np.where(norms > 0, norms, 1.0), n, rng)
    rest = np.setdiff1d(np.arange(len(kept)), chosen)[: max(n - len(chosen), 0)]
    return [Pick(ids[kept[row]], float(scores[kept[row]])) for row in sorted([*chosen, *rest])]


def nearest_to_centres(points: FloatArray, k: int, rng: np.random.Generator) -> list[int]:
    """The row nearest to each of k centres found by k-means (k-means++ seeds, Lloyd's steps), without repeats."""
    from scipy.cluster.vq import kmeans2

    def squared_distances(centre: FloatArray) -> FloatArray:
        difference = points - centre
        return np.asarray(np.einsum("ij,ij->i", difference, difference))

    first = int(rng.integers(len(points)))
    seeds = plus_plus(first, 0.0, k, lambda row: squared_distances(points[row]), np.arange(len(points)), rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a centre that lost all its points stays where it is
        centres, _ = kmeans2(points, points[[row for row, _ in seeds]], iter=_LLOYD_STEPS, minit="matrix")
    return list(dict.fromkeys(int(squared_distances(centre).argmin()) for centre in centres))
