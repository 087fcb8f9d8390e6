"""Calibrated confidence: how sure a verdict really is, and which verdicts reach a target precision."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.features import array, log_softmax, softmax
from mollia_cli.aggregators.variants import original_id
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray, Panel
from mollia_cli.domain.report import ReliabilityBin
from mollia_cli.domain.rng import stream

# Strength of the pull towards temperature 1, in seed items' worth of evidence.
_PRIOR = 2.0
_TEMPERATURES = np.exp(np.linspace(np.log(0.1), np.log(10.0), 201))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What cross-fitting on n labelled items showed of an aggregator.

    raw: [n] confidence of each item's cross-fitted verdict; confidence: [n] the same at the temperature that
    the other items choose; right: [n]. ``temperature`` is what all of them choose, for new items.
    """

    temperature: float
    raw: FloatArray
    confidence: FloatArray
    right: BoolArray

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
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json``."""
        right = np.asarray(state["right"], dtype=np.bool_)
        return cls(float(state["temperature"]), array(state["raw"]), array(state["confidence"]), right)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Verdicts at ``confidence`` or above: ``precision`` on the labelled items, and their share ``coverage``."""

    confidence: float
    precision: float
    coverage: float


def cross_fitted(
    make: Callable[[], Aggregator], seed: Panel, labels: IntArray, pool: Panel, random_seed: int, parts: int = 5
) -> FloatArray:
    """[n, K] probabilities of each seed item by an aggregator that never saw its label.

    The part that is left out joins the unlabelled pool, so that features are used as in the
    full fit; an item and its variants are left out together. A class with a single seed is
    unseen when that seed is judged: that is what the honest estimate has to include.
    """
    n = len(labels)
    if n < 2:
        raise InputError(f"{n} labelled items cannot be cross-fitted", "label two or more")
    held = np.empty((n, seed.classes))
    families = {original: place for place, original in enumerate(dict.fromkeys(map(original_id, seed.ids)))}
    parts_of = np.empty(len(families), dtype=np.int64)
    order = stream(random_seed, "cross-fit").permutation(len(families))
    parts_of[order] = np.arange(len(families)) % min(parts, len(families))
    part = parts_of[[families[original_id(item_id)] for item_id in seed.ids]]
    for i in np.unique(part):
        out, rest = np.flatnonzero(part == i), np.flatnonzero(part != i)
        judged = seed.take(out)
        held[out] = make().fit(seed.take(rest), labels[rest], pool.joined(judged), random_seed).predict_proba(judged)
    return held


def calibrate(held: FloatArray, labels: IntArray) -> Calibration:
    """The calibration of cross-fitted probabilities [n, K] by temperature (Guo et al. 2017), 0.1 to 10.

    The temperature makes the labels likeliest, and is pulled towards 1, because 50 labels alone can
    send it anywhere.
    """
    logs = np.log(np.maximum(held, 1e-12))
    own = np.arange(len(labels))
    losses = np.stack([-log_softmax(logs / temperature)[own, labels] for temperature in _TEMPERATURES])
    whole = losses.sum(axis=1) + _PRIOR * np.log(_TEMPERATURES) ** 2
    others = _TEMPERATURES[(whole[:, None] - losses).argmin(axis=0)]
    confidence = softmax(logs / others[:, None]).max(axis=1)
    right = np.asarray(held.argmax(axis=1) == labels, dtype=np.bool_)
    return Calibration(float(_TEMPERATURES[whole.argmin()]), held.max(axis=1), confidence, right)


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

    Of n verdicts that are right exactly as often as they say, p, the squared gap is p (1 - p) / n on average. That is
    taken off each bin's squared gap before the root, down to 0 (as Kumar et al. 2019 do with the squared error): the
    plain mean of gaps is far too large for 50 verdicts. nan for no verdicts.
    """
    if not len(confidence):
        return float("nan")
    return sum(b.n * _gap(b) for b in reliability(confidence, right, bins)) / len(confidence)


def _gap(found: ReliabilityBin) -> float:
    by_chance = found.confidence * (1.0 - found.confidence) / found.n
    return float(np.sqrt(max((found.confidence - found.accuracy) ** 2 - by_chance, 0.0)))


def threshold_for(confidence: FloatArray, right: BoolArray, target: float, pool: FloatArray) -> Threshold:
    """The lowest confidence whose verdicts are right at least ``target`` of the time.

    confidence, right: of cross-fitted seed verdicts; pool: confidences to cover. Precision is the
    mean of the calibrated confidence and what the seeds at or above the threshold show, with the
    weight of ten pseudo-items on the former: few seeds are above a high threshold. Raises
    InputError where no threshold reaches the target.
    """
    if not 0.0 < target < 1.0:
        raise InputError(f"target precision {target} is not between 0 and 1", "for example: 0.95")
    candidates = np.unique(pool)
    if not len(candidates):
        raise InputError("there are no verdicts to choose a threshold for", "annotate some items: mollia annotate")
    order = np.sort(pool)
    # Mean confidence of the pool's verdicts from each candidate upwards.
    tail = (np.cumsum(order[::-1]) / np.arange(1, len(order) + 1))[::-1]
    for value in candidates:
        expected = float(tail[np.searchsorted(order, value)])
        seeds = right[confidence >= value]
        precision = (10.0 * expected + float(seeds.sum())) / (10.0 + len(seeds))
        if precision >= target:
            return Threshold(float(value), precision, float((pool >= value).mean()))
    raise InputError(
        f"no verdict reaches a precision of {target}; the surest has {candidates[-1]:.3f}",
        "ask for less, or label more items: mollia review",
    )
