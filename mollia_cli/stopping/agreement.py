"""Stabilising predictions: successive classifiers predict the same labels for the stop set."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mollia_cli.domain.metrics import cohen_kappa
from mollia_cli.domain.observations import IntArray
from mollia_cli.stopping.base import Criterion, History


@dataclass(frozen=True)
class Agreement(Criterion):
    """Stops when the mean of Cohen's kappa over the last ``window`` pairs of successive classifiers is ``kappa``.

    Kappa is agreement beyond chance on the stop set's predicted labels; two classifiers that both give
    every item the same label agree (kappa 1).
    """

    name: ClassVar[str] = "agreement"
    source: ClassVar[str] = "Bloodgood & Vijay-Shanker, Stopping Active Learning Based on Stabilizing Predictions, 2009"

    kappa: float = 0.99
    window: int = 3

    def _reason(self, history: History) -> str:
        if len(history.opinions) < self.window + 1 or not history.opinions.shape[1]:
            return ""
        labels = history.opinions[-self.window - 1 :].argmax(axis=2)
        classes = history.opinions.shape[2]
        mean = float(np.mean([_kappa(old, new, classes) for old, new in pairwise(labels)]))
        if mean < self.kappa:
            return ""
        return f"the last {self.window + 1} classifiers agree: mean kappa {mean:.4f}, at least {self.kappa}"


def _kappa(old: IntArray, new: IntArray, classes: int) -> float:
    return 1.0 if np.array_equal(old, new) else cohen_kappa(old, new, classes)
