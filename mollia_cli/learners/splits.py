"""A validation set cut from what is labelled, so that no label is used that a user would not have."""

import numpy as np

from mollia_cli.domain.observations import IntArray

LEAST = 100  # of fewer rows none is held out


def validation_split(
    targets: IntArray, rng: np.random.Generator, fraction: float = 0.2, most: int = 500, least: int = LEAST
) -> tuple[IntArray, IntArray]:
    """(training rows, validation rows), both ascending; disjoint and together all n rows.

    Stratified by label with largest remainders; every label keeps at least one training row, so
    that a label seen once is trained on. targets: [n] indices. most: cap on the validation rows.
    least: of fewer rows than this none is held out; a handful of labels is worth more in training
    than in early stopping.
    """
    targets = np.asarray(targets, dtype=np.int64)
    labels, counts = np.unique(targets, return_counts=True)
    wanted = min(round(fraction * len(targets)), most) if len(targets) >= least else 0
    quota = wanted * counts / max(len(targets), 1)
    give = np.minimum(np.floor(quota).astype(np.int64), counts - 1)
    tie_break = rng.random(len(labels))
    for row in np.lexsort((tie_break, -(quota - np.floor(quota)))):
        if give.sum() < wanted and give[row] < counts[row] - 1:
            give[row] += 1
    chosen = [rng.permutation(np.flatnonzero(targets == label))[:n] for label, n in zip(labels, give, strict=True)]
    validation = np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *chosen]))
    return np.setdiff1d(np.arange(len(targets)), validation), validation
