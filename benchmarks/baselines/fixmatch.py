"""FixMatch (Sohn et al. 2020) on a residual MLP over the panel's scores and votes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.mlp import Adam, Parameters, Scaler, backward, forward, initial
from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.features import array, one_hot, paper_features, softmax
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.rng import stream

_BATCH, _UNLABELLED_RATIO = 50, 7  # mu = 7 is the paper's.


@dataclass(eq=False)
class FixMatch(Aggregator):
    """Sure pseudo-labels of weakly disturbed pool rows train their strongly disturbed copies.

    Weak: Gaussian noise of 0.05 standard deviations. Strong: of 0.5, and each LLM is left out
    with probability 0.2. The threshold and the weight 1 of the unlabelled loss are FixMatch's.
    """

    name: ClassVar[str] = "fixmatch"
    source: ClassVar[str] = "Sohn et al. 2020 (NeurIPS)"

    threshold: float = 0.95
    steps: int = 300

    def _fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        rng = stream(random_seed, self.name)
        rows, unlabelled = paper_features(seed), paper_features(pool)
        self._scaler = Scaler.of(np.concatenate([rows, unlabelled]))
        rows, unlabelled = self._scaler(rows), self._scaler(unlabelled)
        targets = one_hot(labels, self.classes)
        self._parameters: Parameters = initial(rows.shape[1], self.classes, rng)
        optimiser = Adam()
        for _ in range(self.steps):
            batch = rng.integers(0, len(rows), _BATCH)
            inputs, wanted, weights = _weak(rows[batch], rng), targets[batch], np.full(_BATCH, 1.0 / _BATCH)
            if len(unlabelled):
                drawn = unlabelled[rng.integers(0, len(unlabelled), _BATCH * _UNLABELLED_RATIO)]
                guess = softmax(forward(self._parameters, _weak(drawn, rng))[0])
                sure = guess.max(axis=1) >= self.threshold
                inputs = np.concatenate([inputs, self._strong(drawn[sure], rng)])
                wanted = np.concatenate([wanted, one_hot(guess[sure].argmax(axis=1), self.classes)])
                weights = np.concatenate([weights, np.full(int(sure.sum()), 1.0 / len(drawn))])
            outputs, states = forward(self._parameters, inputs)
            slope = (softmax(outputs) - wanted) * weights[:, None]
            optimiser.step(self._parameters, backward(self._parameters, states, slope))

    def _strong(self, rows: FloatArray, rng: np.random.Generator) -> FloatArray:
        members = len(self.annotators)
        kept = np.repeat(rng.random((len(rows), members)) >= 0.2, 2 * self.classes, axis=1)
        noisy: FloatArray = (rows + rng.normal(0.0, 0.5, rows.shape)) * kept
        return noisy

    def _predict(self, panel: Panel) -> FloatArray:
        return softmax(forward(self._parameters, self._scaler(paper_features(panel)))[0])

    def _state(self) -> dict[str, Any]:
        return {
            "mean": self._scaler.mean.tolist(),
            "scale": self._scaler.scale.tolist(),
            "parameters": [values.tolist() for values in self._parameters],
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._scaler = Scaler(array(state["mean"]), array(state["scale"]))
        self._parameters = [array(values) for values in state["parameters"]]


def _weak(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    noisy: FloatArray = rows + rng.normal(0.0, 0.05, rows.shape)
    return noisy
