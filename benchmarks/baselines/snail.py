"""SNAIL's attention (Mishra et al. 2018) over the seeds, on a residual MLP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.mlp import Adam, Parameters, Scaler, backward, forward, initial
from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.features import array, one_hot, paper_features, softmax
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.rng import stream

_KEYS = 16
# Attention that is all on one class makes it e^4 times likelier.
_GAIN = 4.0


@dataclass(eq=False)
class SNAIL(Aggregator):
    """A query's class is read from the labelled seeds that it attends to, plus the MLP's own guess.

    output = MLP(x)[:K] + softmax(q . k / sqrt(d)) Y, with keys and queries from the MLP,
    and the labels Y times a fixed gain. Trained by episodes: half of the seeds at random are the support,
    the others the queries. SNAIL's temporal convolutions are left out: seeds have no order.
    """

    name: ClassVar[str] = "snail"
    source: ClassVar[str] = "Mishra et al. 2018 (ICLR)"

    episodes: int = 300

    def _fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        rng = stream(random_seed, self.name)
        rows = paper_features(seed)
        self._scaler = Scaler.of(np.concatenate([rows, paper_features(pool)]))
        self._support, self._labels = self._scaler(rows), one_hot(labels, self.classes)
        self._parameters: Parameters = initial(rows.shape[1], self.classes + _KEYS, rng)
        optimiser = Adam()
        for _ in range(self.episodes):
            order = rng.permutation(len(rows))
            # A single seed is its own support.
            support, query = order[: (len(order) + 1) // 2], order[len(order) // 2 :]
            optimiser.step(self._parameters, self._gradients(support, query))

    def _gradients(self, support: IntArray, query: IntArray) -> Parameters:
        both = np.concatenate([support, query])
        outputs, states = forward(self._parameters, self._support[both])
        keys, queries = outputs[: len(support), self.classes :], outputs[len(support) :, self.classes :]
        given = self._labels[support]
        attention = softmax(queries @ keys.T / np.sqrt(_KEYS))
        read = attention @ given
        scores = outputs[len(support) :, : self.classes] + _GAIN * read
        slope = (softmax(scores) - self._labels[query]) / len(query)
        # Back through the attention: d softmax = a * (upstream - sum(a * upstream)).
        upstream = _GAIN * slope @ given.T
        inner = attention * (upstream - (attention * upstream).sum(axis=1, keepdims=True)) / np.sqrt(_KEYS)
        whole = np.zeros_like(outputs)
        whole[: len(support), self.classes :] = inner.T @ queries
        whole[len(support) :, : self.classes] = slope
        whole[len(support) :, self.classes :] = inner @ keys
        return backward(self._parameters, states, whole)

    def _predict(self, panel: Panel) -> FloatArray:
        keys = forward(self._parameters, self._support)[0][:, self.classes :]
        outputs = forward(self._parameters, self._scaler(paper_features(panel)))[0]
        attention = softmax(outputs[:, self.classes :] @ keys.T / np.sqrt(_KEYS))
        return softmax(outputs[:, : self.classes] + _GAIN * attention @ self._labels)

    def _state(self) -> dict[str, Any]:
        return {
            "mean": self._scaler.mean.tolist(),
            "scale": self._scaler.scale.tolist(),
            "support": self._support.tolist(),
            "labels": self._labels.tolist(),
            "parameters": [values.tolist() for values in self._parameters],
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._scaler = Scaler(array(state["mean"]), array(state["scale"]))
        self._support, self._labels = array(state["support"]), array(state["labels"])
        self._parameters = [array(values) for values in state["parameters"]]
