"""A conditional logit whose trust in each LLM is shared by all classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mollia_cli.aggregators.features import array
from mollia_cli.domain.observations import FloatArray


@dataclass(frozen=True, slots=True)
class Ridge:
    """Penalties: ``shared`` on |w - w0|^2 / 2, ``bias`` on |b|^2 / 2, ``free`` on each column of M, |M|^2 / 2."""

    shared: float
    bias: float
    free: FloatArray


@dataclass(frozen=True, slots=True)
class Logit:
    """score_k = w . F_k + b_k + G . M_k, softmax over k. w: [D]; b: [K]; M: [g, K]."""

    w: FloatArray
    b: FloatArray
    M: FloatArray

    def logits(self, shared: FloatArray, free: FloatArray) -> FloatArray:
        """[n, K] scores. shared: F, [n, D, K]; free: G, [n, g]."""
        scores: FloatArray = np.einsum("ndk,d->nk", shared, self.w) + self.b + free @ self.M
        return scores

    def to_json(self) -> dict[str, Any]:
        """Plain lists."""
        return {"w": self.w.tolist(), "b": self.b.tolist(), "M": self.M.tolist()}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json``."""
        b = array(state["b"])
        return cls(array(state["w"]), b, array(state["M"]).reshape(-1, len(b)))  # of no features, too


def start(annotator_rows: int, classes: int, free: int) -> Logit:
    """w0: equal weights that sum to 1 (the geometric mean of the panel), nothing else."""
    return Logit(np.full(annotator_rows, 1.0 / annotator_rows), np.zeros(classes), np.zeros((free, classes)))


def fit_logit(
    shared: FloatArray, free: FloatArray, targets: FloatArray, weights: FloatArray, ridge: Ridge, warm: Logit
) -> Logit:
    """The penalised maximum likelihood by L-BFGS, from ``warm``.

    shared: [n, D, K]; free: [n, g]; targets: [n, K], rows sum to 1; weights: [n].
    """
    from scipy.optimize import minimize

    n, rows, classes = shared.shape
    width = free.shape[1]
    design = np.ascontiguousarray(shared.transpose(0, 2, 1)).reshape(n * classes, rows)
    weighted = targets * weights[:, None]
    w0, penalty = 1.0 / rows, ridge.free[:, None]

    def loss(packed: FloatArray) -> tuple[float, FloatArray]:
        w, b, m = packed[:rows], packed[rows : rows + classes], packed[rows + classes :].reshape(width, classes)
        scores = (design @ w).reshape(n, classes) + b + free @ m
        scores -= scores.max(axis=1, keepdims=True)
        powers = np.exp(scores)
        total = powers.sum(axis=1)
        residual = powers * (weights / total)[:, None] - weighted
        value = (weights * np.log(total)).sum() - (weighted * scores).sum()
        value += (ridge.shared * ((w - w0) ** 2).sum() + ridge.bias * (b**2).sum() + (penalty * m**2).sum()) / 2
        gradient = np.concatenate(
            [
                design.T @ residual.ravel() + ridge.shared * (w - w0),
                residual.sum(axis=0) + ridge.bias * b,
                (free.T @ residual + penalty * m).ravel(),
            ]
        )
        return float(value), gradient

    packed = np.concatenate([warm.w, warm.b, warm.M.ravel()])
    found = minimize(loss, packed, jac=True, method="L-BFGS-B", options={"maxiter": 150}).x
    return Logit(found[:rows], found[rows : rows + classes], found[rows + classes :].reshape(width, classes))
