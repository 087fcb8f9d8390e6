"""What the robust loss takes from outside: annotation discrepancy (Eq. 8) and lambda's schedule."""

import numpy as np

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray

ALPHA = 0.5
LAMBDA_START = 0.4
LAMBDA_END = 1.0


def annotation_discrepancy(probabilities: FloatArray, targets: IntArray) -> BoolArray:
    """[n] d_anno: does the learner's most probable label differ from the verdict y+?

    probabilities: [n, K] from the previous round's learner, which must not have trained on
    these items. targets: [n] verdicts.
    """
    return np.argmax(probabilities, axis=1) != targets if len(targets) else np.zeros(0, dtype=bool)


def discrepancy_weights(discrepancy: BoolArray, alpha: float = ALPHA) -> FloatArray:
    """[n] W_d of Eq. 8: 1 where learner and verdict agree, ``alpha`` where they differ.

    alpha = 1 switches the weighting off (Table 4's ablations). Raises InputError outside 0..1.
    """
    if not 0.0 <= alpha <= 1.0:
        raise InputError(f"the discrepancy weight alpha is {alpha}", "give a number from 0 to 1; the paper's is 0.5")
    return np.where(discrepancy, alpha, 1.0)


def negative_weight(
    step: int, steps: int, start: float = LAMBDA_START, end: float = LAMBDA_END, before: float | None = None
) -> float:
    """Lambda of Eq. 9 in round ``step`` (1-based) of ``steps``: linear from ``start`` to ``end``.

    before: lambda of the round before, from which equal steps lead to ``end``, so that it never falls where more
    rounds are planned later (None: as many were planned all along). Rounds past the planned ones keep ``end``; the
    first has ``start``, also where it is the only one. Raises InputError for a negative weight.
    """
    if start < 0.0 or end < 0.0:
        raise InputError(f"the negative learning weight goes from {start} to {end}", "give numbers of 0 or more")
    if step <= 1:
        return start
    if step >= steps:
        return end
    if before is None:
        before = start + (end - start) * (step - 2) / (steps - 1)
    return before + (end - before) / (steps - step + 1)
