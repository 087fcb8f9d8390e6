"""What people do with a few labels and frozen sentence embeddings: logistic regression, and label spreading."""

from collections.abc import Callable

import numpy as np

from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.domain.rng import stream

PENALTIES = (1.0, 10.0, 100.0, 1000.0)  # C, as scikit-learn has it
FOLDS = 5
NEIGHBOURS = 10
# Zhou et al. have .99: on the demo's messages that has .30 where .5 has .81.
ALPHA, ROUNDS = 0.5, 20


def unit(rows: FloatArray) -> FloatArray:
    """Rows of length 1, as sentence encoders are used."""
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return np.asarray(rows / lengths, dtype=np.float32)


def logistic(rows: FloatArray, targets: FloatArray, penalty: float) -> Callable[[FloatArray], FloatArray]:
    """Softmax regression that minimises |W|^2 / 2 + C * cross-entropy, the bias not penalised; gives probabilities.

    rows: [n, d]; targets: [n, K], rows sum to 1; penalty: C.
    """
    from scipy.optimize import minimize

    d, classes = rows.shape[1], targets.shape[1]

    def loss(packed: FloatArray) -> tuple[float, FloatArray]:
        table = packed.reshape(d + 1, classes)
        logs = _log_softmax(rows @ table[:-1].astype(np.float32) + table[-1])
        residual = np.exp(logs) - targets
        slope = np.concatenate([rows.T @ residual.astype(np.float32), residual.sum(axis=0)[None]]).astype(np.float64)
        slope[:-1] += table[:-1] / penalty
        return float((table[:-1] ** 2).sum() / (2 * penalty) - (targets * logs).sum()), slope.ravel()

    found = minimize(loss, np.zeros((d + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    table = found.reshape(d + 1, classes)
    return lambda others: np.asarray(np.exp(_log_softmax(others @ table[:-1].astype(np.float32) + table[-1])))


def cross_validated(rows: FloatArray, labels: IntArray, classes: int, seed: int) -> tuple[float, FloatArray]:
    """(the C of the least held-out cross-entropy, its held-out probabilities [n, K]), by folds of the labels alone."""
    targets = np.eye(classes)[labels]
    fold = stratified(labels, seed)
    held_out = {}
    for penalty in PENALTIES:
        held_out[penalty] = np.zeros((len(labels), classes))
        for number in np.unique(fold):
            out = fold == number
            held_out[penalty][out] = logistic(rows[~out], targets[~out], penalty)(rows[out])
    losses = {c: float(-np.log(p[np.arange(len(labels)), labels] + 1e-9).sum()) for c, p in held_out.items()}
    best = min(losses, key=losses.__getitem__)
    return best, held_out[best]


def stratified(labels: IntArray, seed: int) -> IntArray:
    """[n] fold of each row, every label dealt out over the folds."""
    order = stream(seed, "folds").permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = np.arange(len(labels)) % FOLDS
    return fold


class Spreading:
    """Label spreading (Zhou et al. 2004) over a graph of texts.

    The graph joins each row to its nearest ones with weights exp(-d^2 / 2 s^2), s^2 the mean d^2 of neighbours;
    F = (1 - a) (I - a S)^-1 Y by its series, S = D^-1/2 W D^-1/2. rows: [n, d] of length 1.
    """

    def __init__(self, rows: FloatArray) -> None:
        from scipy.sparse import csr_matrix

        self._rows = rows
        self._neighbours = min(NEIGHBOURS, len(rows) - 1)
        near, squares = _nearest(rows, rows, self._neighbours + 1)
        near, squares = near[:, 1:], squares[:, 1:]  # a row is its own nearest
        self._scale = 2 * float(squares.mean()) or 1.0
        n, k = near.shape
        weights = np.exp(-squares / self._scale).ravel()
        graph = csr_matrix((weights, near.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
        graph = graph.maximum(graph.T)
        root = 1.0 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
        self._smooth = graph.multiply(root[:, None]).multiply(root[None]).tocsr()

    def scores(self, given: IntArray, labels: IntArray, classes: int) -> FloatArray:
        """[n, K], rows sum to 1 (to 0 where no label reaches), from the labels of the rows ``given``."""
        start = np.zeros((len(self._rows), classes))
        start[given, labels] = 1.0
        found = start
        for _ in range(ROUNDS):
            found = ALPHA * (self._smooth @ found) + (1 - ALPHA) * start
        return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-300))

    def outside(self, others: FloatArray, scores: FloatArray) -> FloatArray:
        """[m, K] of rows that are not in the graph: the weighted mean of their neighbours (Delalleau et al. 2005)."""
        near, squares = _nearest(others, self._rows, self._neighbours)
        return np.asarray((np.exp(-squares / self._scale)[..., None] * scores[near]).sum(axis=1))


def _nearest(rows: FloatArray, among: FloatArray, count: int) -> tuple[IntArray, FloatArray]:
    """(places, squared distances), [n, count] each, of the nearest of unit rows, nearest first."""
    likeness = rows @ among.T
    near = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
    found = np.take_along_axis(likeness, near, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    squares = 2 - 2 * np.take_along_axis(found, order, axis=1)
    return np.take_along_axis(near, order, axis=1), np.maximum(squares, 0.0)


def _log_softmax(scores: FloatArray) -> FloatArray:
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
