"""Calibrated confidence: how often a verdict is really right."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.features import array, log_softmax, softmax
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray, Panel
from mollia_cli.domain.printable import count
from mollia_cli.domain.report import ReliabilityBin
from mollia_cli.domain.rng import stream

# Strength of the pull towards temperature 1, in seed items' worth of evidence.
_PRIOR = 2.0
_TEMPERATURES = np.exp(np.linspace(np.log(0.1), np.log(10.0), 201))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What cross-fitting on n labelled items showed of an aggregator.

    raw: [n] confidence of each item's cross-fitted verdict; confidence: [n] the same at the temperature that
    the other items choose; right: [n]. ``temperature`` is what all of them choose, for new items. placed: [n] the
    confidence on the scale of the aggregator that was fitted on all items: the one that as large a share of
    unlabelled items reaches there as reached the item's among those of the fit that left it out. What learned from
    fewer labels is less or more confident as a whole, but ranks can be compared.
    """

    temperature: float
    raw: FloatArray
    confidence: FloatArray
    right: BoolArray
    placed: FloatArray

    @property
    def ece(self) -> float:
        """ECE of the calibrated confidence, honest: no item had a say in its own."""
        return expected_calibration_error(self.confidence, self.right)

    @property
    def raw_ece(self) -> float:
        """ECE without calibration."""
        return expected_calibration_error(self.raw, self.right)

    def to_json(self) -> dict[str, Any]:
        """Plain lists."""
        return {
            "temperature": self.temperature,
            "raw": self.raw.tolist(),
            "confidence": self.confidence.tolist(),
            "right": self.right.tolist(),
            "placed": self.placed.tolist(),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json``."""
        right = np.asarray(state["right"], dtype=np.bool_)
        raw, confidence, placed = (array(state[name]) for name in ("raw", "confidence", "placed"))
        return cls(float(state["temperature"]), raw, confidence, right, placed)


def cross_fitted(
    make: Callable[[], Aggregator], seed: Panel, labels: IntArray, pool: Panel, random_seed: int, parts: int = 5
) -> FloatArray:
    """[n, K] probabilities of each seed item by an aggregator that never saw its label.

    The part that is left out joins the unlabelled pool, so that features are used as in the
    full fit. A class with a single seed is unseen when that seed is predicted: that is what the
    honest estimate has to include.
    """
    held = np.empty((len(labels), seed.classes))
    for out, fitted in _cross_fits(make, seed, labels, pool, random_seed, parts):
        held[out] = fitted.predict_proba(seed.take(out))
    return held


def _cross_fits(
    make: Callable[[], Aggregator], seed: Panel, labels: IntArray, pool: Panel, random_seed: int, parts: int = 5
) -> Iterator[tuple[IntArray, Aggregator]]:
    """The rows of each part, and the aggregator fitted without them."""
    n = len(labels)
    if n < 2:
        raise InputError(f"{count(n, 'labelled item')} cannot be cross-fitted", "label two or more")
    part = np.empty(n, dtype=np.int64)
    part[stream(random_seed, "cross-fit").permutation(n)] = np.arange(n) % min(parts, n)
    for i in np.unique(part):
        out, rest = np.flatnonzero(part == i), np.flatnonzero(part != i)
        yield out, make().fit(seed.take(rest), labels[rest], pool.joined(seed.take(out)), random_seed)


def fit_calibrated(
    make: Callable[[], Aggregator], seed: Panel, labels: IntArray, pool: Panel, random_seed: int, measured: IntArray
) -> tuple[Aggregator, Calibration]:
    """An aggregator fitted on all of ``seed`` and ``pool``, and its calibration by the rows ``measured`` alone.

    The others were chosen for a reason (typical, reviewed for low confidence): they are learned from, as they are in
    the cross-fits, and nothing is measured on them.
    """
    fitted = make().fit(seed, labels, pool, random_seed)
    read = pool.take(np.flatnonzero(pool.observed))  # verdicts are on these
    held = np.empty((len(labels), seed.classes))
    others: list[FloatArray] = [np.empty(0)] * len(labels)
    for out, fold in _cross_fits(make, seed, labels, pool, random_seed):
        held[out] = fold.predict_proba(seed.take(out))
        unlabelled = fold.predict_proba(read)
        for row in out.tolist():
            others[row] = unlabelled
    held, labels = held[measured], labels[measured]
    found = calibrate(held, labels)
    if not len(read) or not len(measured):
        return fitted, found
    whole = np.sort(tempered(fitted.predict_proba(read), found.temperature).max(axis=1))
    _, temperatures = _temperatures(held, labels)
    reached = np.array(
        [
            int((tempered(others[row], temperatures[i]).max(axis=1) >= found.confidence[i]).sum())
            for i, row in enumerate(measured.tolist())
        ],
        dtype=np.int64,
    )
    return fitted, replace(found, placed=_place(whole, reached))


def _place(confidence: FloatArray, reached: IntArray) -> FloatArray:
    """The lowest of the ascending confidences [m] that at most so many of them reach; for 0, one above all."""
    values, first = np.unique(confidence, return_index=True)
    ascending = np.append(values, np.nextafter(values[-1], 2.0))
    # how many reach each value: all that do not stand before its first place
    many = np.append(len(confidence) - first, 0)
    placed: FloatArray = ascending[np.searchsorted(-many, -reached, side="left")]
    return placed


def calibrate(held: FloatArray, labels: IntArray) -> Calibration:
    """The calibration of cross-fitted probabilities [n, K] by temperature (Guo et al. 2017), 0.1 to 10.

    The temperature makes the labels likeliest, and is pulled towards 1, because 50 labels alone can
    send it anywhere.
    """
    temperature, others = _temperatures(held, labels)
    confidence = softmax(np.log(np.maximum(held, 1e-12)) / others[:, None]).max(axis=1)
    right = np.asarray(held.argmax(axis=1) == labels, dtype=np.bool_)
    return Calibration(temperature, held.max(axis=1), confidence, right, confidence)


def _temperatures(held: FloatArray, labels: IntArray) -> tuple[float, FloatArray]:
    """The temperature that all items choose, and [n] the one that all but the item do."""
    logs = np.log(np.maximum(held, 1e-12))
    own = np.arange(len(labels))
    losses = np.stack([-log_softmax(logs / temperature)[own, labels] for temperature in _TEMPERATURES])
    whole = losses.sum(axis=1) + _PRIOR * np.log(_TEMPERATURES) ** 2
    others: FloatArray = _TEMPERATURES[(whole[:, None] - losses).argmin(axis=0)]
    return float(_TEMPERATURES[whole.argmin()]), others


def tempered(probabilities: FloatArray, temperature: float) -> FloatArray:
    """[n, K] probabilities at another temperature; the verdicts stay the same."""
    return softmax(np.log(np.maximum(probabilities, 1e-12)) / temperature)


def reliability(confidence: FloatArray, right: BoolArray, bins: int = 10) -> list[ReliabilityBin]:
    """The bins of equal width that hold any verdict."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    where = np.clip((confidence * bins).astype(np.int64), 0, bins - 1)
    made = []
    for i in range(bins):
        inside = where == i
        if inside.any():
            mean, accuracy = float(confidence[inside].mean()), float(right[inside].mean())
            made.append(ReliabilityBin(float(edges[i]), float(edges[i + 1]), int(inside.sum()), mean, accuracy))
    return made


def expected_calibration_error(confidence: FloatArray, right: BoolArray, bins: int = 10) -> float:
    """ECE (Naeini et al. 2015): mean gap between confidence and accuracy, weighted by bin, less what chance adds.

    Of n verdicts with accuracy p and confidence p, the squared gap is p (1 - p) / n on average. That is
    taken off each bin's squared gap before the root, down to 0 (as Kumar et al. 2019 do with the squared error): the
    plain mean of gaps is far too large for 50 verdicts. nan for no verdicts.
    """
    if not len(confidence):
        return float("nan")
    return sum(b.n * _gap(b) for b in reliability(confidence, right, bins)) / len(confidence)


def _gap(found: ReliabilityBin) -> float:
    by_chance = found.confidence * (1.0 - found.confidence) / found.n
    return float(np.sqrt(max((found.confidence - found.accuracy) ** 2 - by_chance, 0.0)))
