"""A linear head on fixed features: the robust loss of losses.py in numpy, minimised to its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.domain.rng import stream
from mollia_cli.learners.base import Examples, SignalArray, take

# Penalties on |W|^2 / 2, strongest first: 1 / C for C from 0.3 to 300.
GRID = tuple(10.0 ** (-half / 2) for half in range(-1, 6))
FOLDS = 5
_PASSES = 200
_NO_SPREAD = 1e-9  # of texts that are all the same
_ROUGHLY = 1e-5  # tolerance of fits that are only compared
_AXES = 512  # principal axes that such fits look at


@dataclass(frozen=True, slots=True)
class Head:
    """logits = features W' + b. weight: [K, d]. bias: [K]."""

    weight: FloatArray
    bias: FloatArray

    def logits(self, features: SignalArray) -> FloatArray:
        """[n, K] from [n, d]."""
        return np.asarray(features @ self.weight.T + self.bias)


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the parts of features are made alike: each centred and divided, so that none outweighs another.

    centre: [P, d]. spread: [P], what each part's rows are divided by.
    """

    centre: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, parts: SignalArray) -> Self:
        """By the rows of ``parts`` [n, P, d]: scaled, they have a mean squared length of 1, in equal shares."""
        centre = parts.mean(axis=0, dtype=np.float64)
        share = np.square(parts - centre).sum(axis=2).mean(axis=0)
        return cls(centre, np.maximum(np.sqrt(share * len(share)), _NO_SPREAD))

    def apply(self, parts: SignalArray) -> FloatArray:
        """[n, P d] from [n, P, d]."""
        return np.asarray((parts - self.centre) / self.spread[:, None]).reshape(len(parts), self.centre.size)

    def fold(self, head: Head) -> Head:
        """The head that says of features as they are (side by side) what ``head`` says of scaled ones."""
        weight = head.weight / np.repeat(self.spread, self.centre.shape[1])
        return Head(weight, head.bias - weight @ self.centre.ravel())


def shortened(features: FloatArray) -> tuple[FloatArray, FloatArray]:
    """([n, r], [r, d]) whose product is ``features`` [n, d], r at most n: rotated to the rows' own span.

    A head with a ridge penalty has its weights in that span, so a fit on the first is a fit on all, and quicker.
    """
    n, d = features.shape
    if n >= d:
        return features, np.eye(d)
    basis, triangle = np.linalg.qr(features.T)
    return triangle.T, basis.T


def principal(features: SignalArray, axes: int) -> SignalArray:
    """[n, axes] from [n, d]: the coordinates in which the rows differ most from their origin; all where d is less."""
    if features.shape[1] <= axes:
        return features
    from scipy.linalg import eigh

    d = features.shape[1]
    _, basis = eigh(features.T @ features, subset_by_index=(d - axes, d - 1))
    return np.asarray(features @ basis)


def softmax(logits: FloatArray) -> FloatArray:
    """Over the last axis, in float64."""
    powers = np.exp(np.asarray(logits, dtype=np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def fit_head(
    features: SignalArray,
    examples: Examples,
    negative_weight: float,
    ridge: float,
    start: Head | None = None,
    tolerance: float = 1e-9,
) -> Head:
    """The head with the least sum over examples of Eq. 9's loss, plus ``ridge`` |W|^2 / 2; the bias is free.

    features: [n, d], rows as in ``examples``. negative_weight: lambda. start: where the search begins (zeros).
    tolerance: the relative decrease of a step at which it ends.
    """
    from scipy.optimize import minimize

    targets = examples.distributions
    n, classes = targets.shape
    x = np.concatenate([features, np.ones((n, 1))], axis=1)
    penalty = np.full((classes, x.shape[1]), ridge)
    penalty[:, -1] = 0.0
    weights = examples.weights[:, None]
    against = negative_weight * examples.negatives

    def loss(packed: FloatArray) -> tuple[float, FloatArray]:
        table = packed.reshape(penalty.shape)
        logits = x @ table.T
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        p = np.exp(log_p)
        value, slope = -(weights * targets * log_p).sum(), weights * (p - targets)
        if negative_weight:
            other = np.maximum(1.0 - p, 1e-12)
            value -= (against * np.log(other)).sum()
            odds = against * p / other
            slope += odds - p * odds.sum(axis=1, keepdims=True)
        value += (penalty * table**2).sum() / 2
        return float(value), (slope.T @ x + penalty * table).ravel()

    begin = np.zeros_like(penalty) if start is None else np.column_stack([start.weight, start.bias])
    options = {"maxiter": _PASSES, "ftol": tolerance}
    table = minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(penalty.shape)
    return Head(table[:, :-1].copy(), table[:, -1].copy())


def choose_ridge(
    features: SignalArray,
    examples: Examples,
    negative_weight: float,
    random_seed: int,
    grid: Sequence[float] = GRID,
) -> float:
    """The penalty under which the gold examples are predicted best by the others (least cross entropy).

    Cross-validated in five parts, each with its share of every label; what is not gold is learned from in each
    and never predicted. Where nothing is gold, all examples are predicted. Weaker penalties are tried for as long as
    they are better. Beside labels that are not gold it is the strongest within a part of one standard error of the
    best (Breiman et al. 1984), the part being their share: what is wrong with them a few gold labels show too
    little of. The fits see the features' first principal axes alone, in which the penalties order alike.
    """
    features = principal(features, _AXES)
    n = len(examples.texts)
    rows = np.flatnonzero(examples.gold_rows) if examples.gold_rows.any() else np.arange(n)
    part = _parts(examples.targets[rows], random_seed)
    splits = [(np.setdiff1d(np.arange(n), rows[part == k]), rows[part == k]) for k in np.unique(part)]
    splits = [(kept, held) for kept, held in splits if len(kept)]
    heads: list[Head | None] = [None] * len(splits)
    if not splits:
        return grid[0]
    losses: list[FloatArray] = []
    for ridge in grid:
        found = np.zeros(n)
        for number, (kept, held) in enumerate(splits):
            train = take(examples, kept)
            head = heads[number] = fit_head(features[kept], train, negative_weight, ridge, heads[number], _ROUGHLY)
            p = softmax(head.logits(features[held]))[np.arange(len(held)), examples.targets[held]]
            found[held] = -np.log(np.maximum(p, 1e-12))
        losses.append(found[rows])
        if len(losses) > 1 and losses[-1].mean() > losses[-2].mean():
            break
    means = np.array([loss.mean() for loss in losses])
    best = int(means.argmin())
    error = losses[best].std() / np.sqrt(len(rows))
    return grid[int(np.argmax(means <= means[best] + error * (n - len(rows)) / n))]


def _parts(targets: IntArray, random_seed: int) -> IntArray:
    """[n] numbers of parts, at most ``FOLDS``; the examples of a label are spread evenly over them."""
    shuffled = stream(random_seed, "folds").permutation(len(targets))
    by_label = shuffled[np.argsort(targets[shuffled], kind="stable")]
    part = np.empty(len(targets), dtype=np.int64)
    part[by_label] = np.arange(len(targets)) % FOLDS
    return part
