"""What aggregators look at: a panel's scores and votes as arrays that hold no NaN or infinity."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.rng import stream_seed


def scores(panel: Panel) -> FloatArray:
    """z of Eq. 1, [n, N, K]: label probabilities as given; what is not a number counts as 0."""
    return np.nan_to_num(panel.probabilities, nan=0.0, posinf=1.0)


def votes(panel: Panel) -> FloatArray:
    """c of Eq. 3, [n, N, K]; what is not a number counts as 0."""
    return np.nan_to_num(panel.votes, nan=0.0)


def paper_features(panel: Panel) -> FloatArray:
    """h(x) = [z_1, c_1, ..., z_N, c_N] (Eq. 4), [n, 2NK]."""
    blocks = interleave(scores(panel), votes(panel))
    return blocks.reshape(len(blocks), blocks.shape[1] * blocks.shape[2])


def interleave(z: FloatArray, c: FloatArray) -> FloatArray:
    """[n, N, K] and [n, N, K] as [n, 2N, K] in the order z_1, c_1, z_2, c_2, ..."""
    n, annotators, classes = z.shape
    return np.stack([z, c], axis=2).reshape(n, 2 * annotators, classes)


def normalised(values: FloatArray) -> FloatArray:
    """Values >= 0 divided by their sum over the last axis; uniform where that sum is 0."""
    total = values.sum(axis=-1, keepdims=True)
    return np.where(total > 0, values / np.where(total > 0, total, 1.0), 1.0 / values.shape[-1])


def one_hot(labels: IntArray, classes: int) -> FloatArray:
    """[n] indices as [n, K] zeros and ones."""
    rows: FloatArray = np.eye(classes)[labels]
    return rows


def softmax(logits: FloatArray) -> FloatArray:
    """Over the last axis, without overflow."""
    powers: FloatArray = np.exp(logits - logits.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def log_softmax(logits: FloatArray) -> FloatArray:
    """Over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logs: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logs


def array(values: Any) -> NDArray[np.float64]:
    """A float array from JSON lists."""
    return np.asarray(values, dtype=np.float64)


def log_scores(panel: Panel) -> FloatArray:
    """[n, 2N, K]: log of each annotator's probabilities (normalised) and votes (of T), both kept off zero."""
    c, t = votes(panel), panel.samples
    return interleave(np.log(normalised(scores(panel)) + 1e-3), np.log((t * c + 0.2) / (t + 0.2 * panel.classes)))


def most_confident(probabilities: FloatArray, share: float) -> IntArray:
    """Rows of the most confident ``share`` of each predicted class (at least one of each that is predicted)."""
    label, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    kept: list[IntArray] = []
    for k in range(probabilities.shape[1]):
        rows = np.flatnonzero(label == k)
        kept.append(rows[np.argsort(-confidence[rows], kind="stable")[: int(np.ceil(share * len(rows)))]])
    return np.concatenate(kept)


def folds(ids: Sequence[str], random_seed: int) -> IntArray:
    """[n] 0 or 1 by item id, so that an item is always predicted by what never trained on it."""
    return np.array([stream_seed(random_seed, "fold", item_id) & 1 for item_id in ids], dtype=np.int64)
