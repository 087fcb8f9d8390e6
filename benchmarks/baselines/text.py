"""The text as one more annotator: a classifier trained on the aggregator's verdicts, cross-fitted.

What the panel says of an item misses what the words say. A text model learns the verdicts on some
of the items and predicts the others; its probabilities join the panel as one more member, whose
trust the aggregator learns from the seed labels like any other's. A few rounds of this move both.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.features import most_confident, one_hot, softmax
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray, Panel
from mollia_cli.domain.rng import stream
from mollia_cli.learners.base import SignalArray

# One seed label against one verdict in training the text model.
_SEED_WEIGHT = 5.0


class TextModel(Protocol):
    """Trains on some rows and predicts others; rows number the seed items first, then the pool."""

    def __call__(self, train: IntArray, targets: FloatArray, weights: FloatArray, rows: IntArray) -> FloatArray:
        """[len(rows), K] probabilities. targets: [len(train), K], rows sum to 1; weights: [len(train)]."""


@dataclass(frozen=True, slots=True)
class Refined:
    """The last round: the fitted aggregator and the panels with the text members, which it belongs to."""

    aggregator: Aggregator
    seed: Panel
    pool: Panel


def refine(
    make: Callable[[], Aggregator],
    seed: Panel,
    labels: IntArray,
    pool: Panel,
    models: Mapping[str, TextModel],
    random_seed: int,
    rounds: int = 5,
    parts: int = 4,
    keep: float = 0.8,
) -> Refined:
    """Fit, then ``rounds`` times: train the text models on the verdicts, let them join the panel, refit.

    Trained on are the seeds and the most confident ``keep`` of the pool of each predicted class.
    models: by the name of the annotator that each becomes. No text model ever predicts a row that it
    was trained on: rows are cut into ``parts``, and each part is predicted by the others.
    """
    taken = set(models) & set(seed.annotators)
    if taken:
        raise InputError(f"annotator {min(taken)!r} is in the panel already", "give the text model another name")
    n, m = len(seed), len(pool)
    gold = one_hot(labels, seed.classes)
    part = stream(random_seed, "text parts").permutation(n + m) % parts
    wide_seed, wide_pool = seed, pool
    fitted = make().fit(seed, labels, pool, random_seed)
    for _ in range(rounds):
        # Hard labels: a text model that copies the panel's doubts has nothing to add to them.
        verdicts = fitted.predict_proba(wide_pool)
        targets = np.concatenate([gold, one_hot(verdicts.argmax(axis=1), seed.classes)])
        weights = np.concatenate([np.full(n, _SEED_WEIGHT), np.zeros(m)])
        weights[n + most_confident(verdicts, keep)] = 1.0
        predicted = {name: _cross_fit(model, targets, weights, part) for name, model in models.items()}
        wide_seed = with_members(seed, {name: rows[:n] for name, rows in predicted.items()})
        wide_pool = with_members(pool, {name: rows[n:] for name, rows in predicted.items()})
        fitted = make().fit(wide_seed, labels, wide_pool, random_seed)
    return Refined(fitted, wide_seed, wide_pool)


def with_members(panel: Panel, predicted: Mapping[str, FloatArray]) -> Panel:
    """The panel with more annotators; predicted: [n, K] probabilities of each, which are its votes too.

    A row of zeros is an item that the annotator has not observed.
    """
    new = np.stack(list(predicted.values()), axis=1)
    with np.errstate(divide="ignore"):
        log_probs = np.log(new)
    return Panel(
        panel.ids,
        panel.annotators + tuple(predicted),
        np.concatenate([panel.log_probs, log_probs], axis=1),
        np.concatenate([panel.votes, new], axis=1),
        np.concatenate([panel.invalid, np.clip(1.0 - new.sum(axis=2), 0.0, 1.0)], axis=1),
        panel.samples,
    )


def _cross_fit(model: TextModel, targets: FloatArray, weights: FloatArray, part: IntArray) -> FloatArray:
    predicted = np.zeros_like(targets)
    for i in np.unique(part):
        train, out = np.flatnonzero((part != i) & (weights > 0)), np.flatnonzero(part == i)
        predicted[out] = model(train, targets[train], weights[train], out)
    return predicted


@dataclass(frozen=True)
class LinearText:
    """Softmax regression on fixed features of the texts, one row for each seed item, then each pool item.

    features: dense [n, d] or scipy CSR [n, d]; a row of zeros is an item without a text: nothing
    is learned from it, and nothing predicted of it. ``ridge``: penalty on |W|^2 / 2.
    """

    features: Any
    ridge: float = 1.0 / 3.0
    passes: int = 60

    def __call__(self, train: IntArray, targets: FloatArray, weights: FloatArray, rows: IntArray) -> FloatArray:
        known = _has_text(self.features)
        kept = known[train]
        coefficients = _regress(self.features[train[kept]], targets[kept], weights[kept], self.ridge, self.passes)
        logits = np.asarray(self.features[rows] @ coefficients[:-1]) + coefficients[-1]
        predicted: FloatArray = softmax(logits.astype(np.float64)) * known[rows][:, None]
        return predicted


def _has_text(features: Any) -> BoolArray:
    known: BoolArray = np.asarray(abs(features).sum(axis=1)).ravel() > 0
    return known


def _regress(features: Any, targets: FloatArray, weights: FloatArray, ridge: float, passes: int) -> FloatArray:
    """[d + 1, K] coefficients, the bias last."""
    from scipy.optimize import minimize

    d, classes = features.shape[1], targets.shape[1]
    transposed = features.T

    def loss(packed: FloatArray) -> tuple[float, FloatArray]:
        table = packed.reshape(d + 1, classes)
        scores = np.asarray(features @ table[:-1].astype(features.dtype)) + table[-1]
        scores -= scores.max(axis=1, keepdims=True)
        powers = np.exp(scores)
        total = powers.sum(axis=1)
        residual = (powers / total[:, None] - targets) * weights[:, None]
        value = (weights * np.log(total)).sum() - (weights[:, None] * targets * scores).sum()
        slope = np.asarray(transposed @ residual.astype(features.dtype)) + ridge * table[:-1]
        gradient = np.concatenate([slope, residual.sum(axis=0)[None]])
        return float(value + ridge * (table[:-1] ** 2).sum() / 2), gradient.ravel().astype(np.float64)

    found = minimize(loss, np.zeros((d + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": passes}).x
    table: FloatArray = found.reshape(d + 1, classes)
    return table


def embedding_features(layers: Sequence[SignalArray], known: IntArray | None = None) -> FloatArray:
    """[n, d] float32 from embeddings [n, d_l] (one array or one for each layer of an encoder).

    Each is centred and scaled to rows of mean length 1, so that no layer outweighs another.
    ``known``: rows that have a text; the others become rows of zeros.
    """
    rows = np.arange(len(layers[0])) if known is None else known
    made = []
    for layer in layers:
        used = np.asarray(layer, dtype=np.float64)[rows]
        used -= used.mean(axis=0)
        whole = np.zeros(layer.shape)
        whole[rows] = used / max(float(np.sqrt((used**2).sum(axis=1)).mean()), 1e-12)
        made.append(whole)
    # Twice the length of one layer's rows: the ridge was chosen for tf-idf rows beside them.
    joined: FloatArray = np.concatenate(made, axis=1) * (2.0 / np.sqrt(len(made)))
    return joined.astype(np.float32)


def tfidf_features(texts: Sequence[str]) -> Any:
    """CSR [n, v] float32: words and pairs of words that occur in two texts or more, rows of length 1.

    tf = 1 + log(count), idf = 1 + log((1 + n) / (1 + df)) (Salton and Buckley 1988).
    """
    from scipy.sparse import csr_matrix

    counts = [Counter(_terms(text)) for text in texts]
    frequency = Counter(term for count in counts for term in count)
    kept = {term: column for column, term in enumerate(sorted(t for t, df in frequency.items() if df > 1))}
    idf = {term: 1.0 + np.log((1 + len(texts)) / (1 + frequency[term])) for term in kept}
    data, columns, starts = [], [], [0]
    for count in counts:
        row = {kept[t]: (1.0 + np.log(c)) * idf[t] for t, c in count.items() if t in kept}
        length = float(np.sqrt(sum(value**2 for value in row.values()))) or 1.0
        data += [value / length for value in row.values()]
        columns += list(row)
        starts.append(len(columns))
    return csr_matrix((np.array(data, dtype=np.float32), columns, starts), shape=(len(texts), len(kept)))


def _terms(text: str) -> list[str]:
    words = text.casefold().split()
    return words + [f"{first} {second}" for first, second in pairwise(words)]
