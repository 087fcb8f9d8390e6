"""Classification metrics."""

import numpy as np

from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray


def confusion(targets: IntArray, predictions: IntArray, classes: int) -> IntArray:
    """[K, K] counts: rows are true labels, columns predicted ones."""
    flat = np.asarray(targets, dtype=np.int64) * classes + np.asarray(predictions, dtype=np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def micro_f1(targets: IntArray, predictions: IntArray) -> float:
    """Micro-averaged F1; with one label per item this is accuracy. 0.0 for no items. Labels are [n]."""
    return float(np.mean(np.equal(targets, predictions))) if len(targets) else 0.0


def macro_f1(targets: IntArray, predictions: IntArray, classes: int) -> float:
    """Unweighted mean of the F1 of every class that is a true or predicted label of some item.

    A class that is only one of the two has F1 0 (scikit-learn's default); 0.0 for no items.
    """
    counts = confusion(targets, predictions, classes)
    support = counts.sum(axis=0) + counts.sum(axis=1)
    present = support > 0
    return float(np.mean(2.0 * np.diagonal(counts)[present] / support[present])) if present.any() else 0.0


def set_f1(targets: BoolArray, predictions: BoolArray) -> FloatArray:
    """[K] F1 of each label, from [n, K] which labels apply; nan for a label that no item has and none is given."""
    both = (targets & predictions).sum(axis=0)
    either = targets.sum(axis=0) + predictions.sum(axis=0)
    f1: FloatArray = np.divide(2.0 * both, either, out=np.full(len(either), np.nan), where=either > 0)
    return f1


def micro_set_f1(targets: BoolArray, predictions: BoolArray) -> float:
    """F1 over all n times K answers, from [n, K]; 0.0 where no label applies and none is given."""
    either = int(targets.sum() + predictions.sum())
    return float(2 * (targets & predictions).sum() / either) if either else 0.0


def cohen_kappa(first: IntArray, second: IntArray, classes: int) -> float:
    """Agreement of two annotators beyond chance (Cohen 1960) where both answered; nan where it is undefined."""
    both = (first >= 0) & (second >= 0)
    if not both.any():
        return float("nan")
    table = np.zeros((classes, classes))
    np.add.at(table, (first[both], second[both]), 1.0)
    table /= table.sum()
    chance = float(table.sum(axis=1) @ table.sum(axis=0))
    return float((np.trace(table) - chance) / (1.0 - chance)) if chance < 1.0 else float("nan")
