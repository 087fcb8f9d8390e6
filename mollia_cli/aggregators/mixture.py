"""LLMs and frozen encoders together: what a panel says of a text, and what the texts' embeddings say.

A linear head on the embeddings learns the verdicts of all texts and judges each one as if it had not
learned from it (leave-one-out, in closed form). A small conditional logit, fitted on the gold labels,
weighs its opinion and the LLMs'. What both conclude is learned in the next round: the head finds out what like
texts have in common, where LLMs err by themselves. Texts that no LLM has read take part by their
embeddings alone: reading some of many is enough.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.calibration import cross_fitted
from mollia_cli.aggregators.conditional_logit import ConditionalLogit
from mollia_cli.aggregators.features import log_softmax, one_hot, softmax
from mollia_cli.aggregators.logit import Logit, Ridge, fit_logit, start
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.rng import stream

_FLOOR = 1e-3  # of probabilities, before their logarithm
_SHARPNESS = np.exp(np.linspace(0.0, 4.5, 46))


def panel_logit() -> Aggregator:
    """What concludes from the LLMs alone; its trees add nothing beside encoders, and take most of its time."""
    return ConditionalLogit(trees=0)


@dataclass(frozen=True, slots=True)
class Head:
    """Ridge regression of one-hot verdicts on embeddings, as probabilities.

    coefficients: [d + 1, K], the intercept last; sharpness: of the softmax of its scores.
    """

    coefficients: FloatArray
    sharpness: float

    def predict_proba(self, view: FloatArray) -> FloatArray:
        """[n, K] from embeddings [n, d]."""
        return softmax(self.sharpness * (view @ self.coefficients[:-1] + self.coefficients[-1]))


@dataclass(frozen=True, slots=True)
class Mixed:
    """Probabilities [n, K] of the gold texts and [m, K] of the pool's, and what judges other texts.

    ``gold``: the head left out each one's target, but the logits have seen it (``held_out`` has not).
    """

    gold: FloatArray
    pool: FloatArray
    head: Head
    beside: Logit
    alone: Logit

    def predict_proba(self, view: FloatArray, llms: FloatArray | None = None) -> FloatArray:
        """[n, K] of texts that it did not learn from. view: [n, d]; llms: [n, K], what their aggregator says."""
        said = self.head.predict_proba(view)
        return _weighed(self.alone, [said]) if llms is None else _weighed(self.beside, [llms, said])


@dataclass(frozen=True, slots=True)
class Mixture:
    """The settings. ridge: on rows of mean length 1; gold_weight: of one gold label against one verdict;
    shared, bias: the logits' penalties."""

    rounds: int = 12
    ridge: float = 1.0
    gold_weight: float = 20.0
    shared: float = 20.0
    bias: float = 1.0

    def fit(self, view: FloatArray, labels: IntArray, classes: int, llms: FloatArray | None = None) -> Mixed:
        """Fit by ``rounds`` rounds.

        view: [n + m, d] embeddings of the n gold texts, then of the pool; labels: [n]; llms: [n + r, K], what the
        LLMs' aggregator says of the gold texts (cross-fitted) and of the first r texts of the pool, or None for
        no LLMs. Raises InputError for fewer than two labels or classes, or shapes that do not fit.
        """
        n = len(labels)
        if len(set(labels.tolist())) < 2:
            raise InputError("the gold labels are all of one class", "label texts of other labels too")
        if llms is not None and not (n <= len(llms) <= len(view) and llms.shape[1] == classes):
            raise InputError(f"LLMs' opinions of shape {llms.shape} for {len(view)} texts", "the read ones stand first")
        gold = one_hot(labels, classes)
        read = n if llms is None else len(llms)
        design = _design(view)
        verdicts = np.zeros((len(view), classes))
        verdicts[:n] = gold
        weights = np.zeros(len(view))
        weights[:n] = self.gold_weight
        if llms is not None:
            verdicts[n:read] = llms[n:]
            weights[n:read] = 1.0
        for _ in range(self.rounds):
            targets = one_hot(verdicts.argmax(axis=1), classes)
            targets[:n] = gold
            said, head = _left_out(design, targets, weights, self.ridge)
            alone = self._logit([said[:n]], gold)
            verdicts = _weighed(alone, [said])
            beside = alone
            if llms is not None:
                beside = self._logit([llms[:n], said[:n]], gold)
                verdicts[:read] = _weighed(beside, [llms, said[:read]])
            weights[n:] = 1.0
        return Mixed(verdicts[:n], verdicts[n:], head, beside, alone)

    def _logit(self, members: list[FloatArray], gold: FloatArray) -> Logit:
        n, classes = gold.shape
        ridge = Ridge(self.shared, self.bias, np.zeros(0))
        return fit_logit(_logs(members), np.zeros((n, 0)), gold, np.ones(n), ridge, start(len(members), classes, 0))


def _logs(members: list[FloatArray]) -> FloatArray:
    """[n, D, K] from D times [n, K] probabilities."""
    return np.log(np.stack(members, axis=1) + _FLOOR)


def _weighed(logit: Logit, members: list[FloatArray]) -> FloatArray:
    return softmax(logit.logits(_logs(members), np.zeros((len(members[0]), 0))))


def _design(view: FloatArray) -> FloatArray:
    return np.concatenate([np.asarray(view, dtype=np.float64), np.ones((len(view), 1))], axis=1)


def _left_out(design: FloatArray, targets: FloatArray, weights: FloatArray, ridge: float) -> tuple[FloatArray, Head]:
    """([n, K] opinions that no row's own target had a part in, the head fitted on all).

    Weighted ridge regression; leaving row i out changes its residual r_i to r_i / (1 - h_i), where h_i is its
    leverage (Allen 1974: PRESS). A row of weight 0 has leverage 0.
    """
    penalty = np.full(design.shape[1], ridge)
    penalty[-1] = 1e-6
    weighted = design * weights[:, None]
    inverse = np.linalg.inv(weighted.T @ design + np.diag(penalty))
    coefficients = inverse @ (weighted.T @ targets)
    fitted = design @ coefficients
    leverage = np.minimum(weights * np.einsum("nd,nd->n", design @ inverse, design), 1.0 - 1e-6)
    scores = (fitted - leverage[:, None] * targets) / (1.0 - leverage)[:, None]
    losses = [-(weights[:, None] * targets * log_softmax(s * scores)).sum() for s in _SHARPNESS]
    sharpness = float(_SHARPNESS[int(np.argmin(losses))])
    return softmax(sharpness * scores), Head(coefficients, sharpness)


def panel_opinions(
    make: Callable[[], Aggregator], seed: Panel, labels: IntArray, pool: Panel, random_seed: int
) -> FloatArray:
    """[n + r, K]: what an aggregator of the LLMs says of the gold texts, cross-fitted, and of the pool's."""
    pooled = make().fit(seed, labels, pool, random_seed).predict_proba(pool)
    return np.concatenate([cross_fitted(make, seed, labels, pool, random_seed), pooled])


def held_out(
    mixture: Mixture,
    view: FloatArray,
    labels: IntArray,
    classes: int,
    random_seed: int,
    seed: Panel | None = None,
    pool: Panel | None = None,
    make: Callable[[], Aggregator] = panel_logit,
    parts: int = 5,
) -> FloatArray:
    """[n, K] probabilities of the gold texts, by mixtures (and aggregators of the LLMs) that never saw their labels.

    The part that is left out joins the pool, unlabelled. With these, ``calibration.calibrate`` finds the temperature.
    """
    n = len(labels)
    part = stream(random_seed, "mixture parts").permutation(n) % min(parts, n)
    held = np.empty((n, classes))
    for i in np.unique(part):
        out, rest = np.flatnonzero(part == i), np.flatnonzero(part != i)
        rows = np.concatenate([rest, out, np.arange(n, len(view))])
        llms = None
        if seed is not None and pool is not None:
            llms = panel_opinions(make, seed.take(rest), labels[rest], seed.take(out).joined(pool), random_seed)
        held[out] = mixture.fit(view[rows], labels[rest], classes, llms).pool[: len(out)]
    return held
