"""The threshold for a target precision, promised at a stated confidence level.

The seeds are walked through from the most confident down, and their wrong verdicts counted. ``error_bounds`` says how
many may be wrong among the first j for the promise to begin, or to go on, there, such that it fails for at most
1 - level of seed sets although the lowest confidence that qualifies is taken: the search over all of them is part of
the bounds.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray
from mollia_cli.domain.printable import count

LEVEL = 0.8
# No advice to label more than so many times the seeds there are.
_MOST = 10
# Confidences are stored with so many decimals: a threshold must not lie above the verdict that it was read from.
_DECIMALS = 7


@dataclass(frozen=True, slots=True)
class Threshold:
    """At ``level``, verdicts at ``confidence`` or above have accuracy ``target``.

    seeds: how many are at or above it; right: those of them whose cross-fitted verdict is correct.
    """

    target: float
    level: float
    confidence: float
    seeds: int
    right: int


@dataclass(frozen=True, slots=True)
class ErrorBounds:
    """How many of the j most confident of n seeds may be wrong, both [n + 1], -1 where even none is too many.

    begin: for the promise to hold there, whatever stands above; go_on: for it to hold there if it does at j - 1.
    """

    begin: IntArray
    go_on: IntArray

    def holds(self, wrong: IntArray) -> BoolArray:
        """[n + 1] whether the promise holds at j; wrong: [n + 1] how many of the first j are wrong."""
        begins, goes_on = (wrong <= self.begin).tolist(), (wrong <= self.go_on).tolist()
        held, made = False, []
        for begin, on in zip(begins, goes_on, strict=True):
            held = begin or (held and on)
            made.append(held)
        return np.array(made, dtype=np.bool_)


@lru_cache(maxsize=64)
def error_bounds(n: int, target: float, level: float) -> ErrorBounds:
    """The bounds for n seeds (fixed sequence testing, as in Learn then Test: Angelopoulos et al. 2021).

    Let less confident verdicts be right no more often, and m seeds be as confident as the lowest that still
    keeps the target. e_m is binomial, and every further seed is wrong with probability 1 - target or more. The
    promise is broken only if it still held at m, so e_m <= go_on[m], or began below: e_j <= begin[j] for a j > m.
    begin are Clopper and Pearson's bounds (1934), all at the one stricter level at which a seed set that is wrong
    with probability 1 - target everywhere keeps within any of them with probability 1 - level at most (m = 0);
    go_on[m] is the largest with which the two together happen with that probability at most.
    """
    alpha = 1.0 - level
    errors = _binomials(n, 1.0 - target)
    low, high = 0.0, alpha
    if _begun(begin := _clopper_pearson(errors, high), target)[0, 0] > alpha:
        for _ in range(25):
            middle = (low + high) / 2
            if _begun(_clopper_pearson(errors, middle), target)[0, 0] <= alpha:
                low = middle
            else:
                high = middle
        begin = _clopper_pearson(errors, low)
    later = errors * _begun(begin, target)
    # P(e_m <= c), and P(e_m > c and begins below m), for every m and c
    broken = np.cumsum(errors, axis=1) + np.cumsum(later[:, ::-1], axis=1)[:, ::-1] - later
    go_on: IntArray = (broken <= alpha + 1e-12).sum(axis=1, dtype=np.int64) - 1
    return ErrorBounds(begin, go_on)


def _binomials(n: int, rate: float) -> FloatArray:
    """[n + 1, c] the probability of c errors among j; c up to what no bound reaches, the expected number."""
    made = np.zeros((n + 1, int(rate * n) + 3))
    made[0, 0] = 1.0
    for j in range(1, n + 1):
        made[j] = (1.0 - rate) * made[j - 1]
        made[j, 1:] += rate * made[j - 1, :-1]
    return made


def _clopper_pearson(errors: FloatArray, alpha: float) -> IntArray:
    """[n + 1] the most errors among j that so few have at most, with probability alpha; none at j = 0."""
    most: IntArray = (np.cumsum(errors, axis=1) <= alpha).sum(axis=1, dtype=np.int64) - 1
    most[0] = -1
    return most


def _begun(begin: IntArray, target: float) -> FloatArray:
    """[n + 1, c] the probability that e_i <= begin[i] for an i > j, given c errors among j, at the target's rate."""
    size = int((1.0 - target) * (len(begin) - 1)) + 3
    made = np.zeros((len(begin), size))
    for j in range(len(begin) - 1, 0, -1):
        here = np.where(np.arange(size) <= begin[j], 1.0, made[j])
        made[j - 1] = target * here
        made[j - 1, :-1] += (1.0 - target) * here[1:]
    return made


def threshold_for(confidence: FloatArray, right: BoolArray, target: float, level: float = LEVEL) -> Threshold:
    """The lowest confidence from which on verdicts have accuracy ``target``, at ``level``.

    confidence, right: [n] of the seeds' cross-fitted verdicts, on the scale of the verdicts that the promise is about
    (Calibration's ``placed``). Raises InputError where the seeds cannot promise it, with how many labels could.
    """
    for name, value in (("target precision", target), ("confidence level", level)):
        if not 0.0 < value < 1.0:
            raise InputError(f"{name} {value} is not between 0 and 1", "for example: 0.9")
    if not len(right):
        raise InputError(
            "no seed label was drawn at random, so that none can promise a precision",
            "label some: mollia label --seed 50",
        )
    order = np.argsort(-confidence, kind="stable")
    wrong = _running_errors(right[order])
    held = error_bounds(len(right), target, level).holds(wrong)
    # a threshold takes all seeds of equal confidence or none
    held[1:-1] &= confidence[order][:-1] > confidence[order][1:]
    if not held.any():
        raise _too_few(wrong, target, level)
    seeds = int(np.flatnonzero(held)[-1])
    # with every seed within the bound, it holds for all verdicts
    lowest = 0.0 if seeds == len(right) else float(confidence[order][seeds - 1])
    return Threshold(target, level, _rounded_down(lowest), seeds, seeds - int(wrong[seeds]))


def _running_errors(right: BoolArray) -> IntArray:
    """[n + 1] how many of the first j are wrong."""
    return np.concatenate([[0], np.cumsum(~right)]).astype(np.int64)


def _rounded_down(value: float) -> float:
    return float(np.floor(value * 10**_DECIMALS) / 10**_DECIMALS)


def _too_few(wrong: IntArray, target: float, level: float) -> InputError:
    n = len(wrong) - 1
    refused = f"{count(n, 'seed label')} cannot promise a precision of {target:g} at a confidence level of {level:g}"
    review = "or have people look at what is in doubt: mollia review"
    if (needed := labels_needed(wrong, target, level)) is None:
        possible = np.flatnonzero(error_bounds(n, target, level).begin >= 0)
        first = int(possible[0]) if len(possible) else n
        return InputError(
            f"{refused}, nor could ten times as many: {int(wrong[first])} of the {first} most confident verdicts are"
            " wrong",
            f"ask for less, add a better LLM, {review}",
        )
    total, confident, errors, have = needed
    allowed = f"at most {errors}" if errors else "none"
    return InputError(
        f"{refused}: {target:g} needs about {count(confident, 'confident label')} with {allowed} wrong;"
        f" you have {have}",
        f"label about {total - n} more: mollia label --seed {total}; {review}",
    )


def labels_needed(wrong: IntArray, target: float, level: float) -> tuple[int, int, int, int] | None:
    """About how many seed labels could promise the target, if more of them were wrong as often as these.

    wrong: [n + 1] running errors from the most confident seed down. Returns the number of seeds, how many of them
    would have to be confident, how many of those may be wrong, and how many of the n seeds are so confident;
    None where ten times the seeds would not do.
    """
    n = len(wrong) - 1
    first = np.arange(1, n + 1)
    for total in np.unique(np.geomspace(n + 1, _MOST * n, 25).astype(np.int64)).tolist():
        bounds, scaled = error_bounds(total, target, level).begin, first * total // n
        enough = np.flatnonzero(np.ceil(wrong[1:] * total / n - 1e-9) <= bounds[scaled])
        if len(enough):
            have = int(first[enough[-1]])
            needed = int(scaled[enough[-1]])
            return total, needed, int(bounds[needed]), have
    return None
