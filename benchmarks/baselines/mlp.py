"""A small residual MLP in numpy: torch has its home in ``learners``, and 50 rows do not need it."""

from dataclasses import dataclass

import numpy as np

from mollia_cli.domain.observations import FloatArray

Parameters = list[FloatArray]
WIDTH = 64
_BLOCKS = 2


def initial(inputs: int, outputs: int, rng: np.random.Generator) -> Parameters:
    """He-initialised weights and zero biases: in, ``_BLOCKS`` residual blocks, out."""
    widths = [(inputs, WIDTH)] + [(WIDTH, WIDTH)] * _BLOCKS + [(WIDTH, outputs)]
    made: Parameters = []
    for fan_in, fan_out in widths:
        made += [rng.normal(0.0, np.sqrt(2.0 / fan_in), (fan_in, fan_out)), np.zeros(fan_out)]
    return made


def forward(parameters: Parameters, x: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
    """Outputs [n, o] and the hidden states that ``backward`` needs. h = relu(W x); h += relu(W h); W h."""
    hidden = np.maximum(x @ parameters[0] + parameters[1], 0.0)
    states = [x, hidden]
    for block in range(1, 1 + _BLOCKS):
        step = np.maximum(hidden @ parameters[2 * block] + parameters[2 * block + 1], 0.0)
        hidden = hidden + step
        states += [step, hidden]
    return hidden @ parameters[-2] + parameters[-1], states


def backward(parameters: Parameters, states: list[FloatArray], slope: FloatArray) -> Parameters:
    """Gradients of the parameters, given the loss's slope [n, o] at the outputs."""
    gradients = [states[-1].T @ slope, slope.sum(axis=0)]
    back = slope @ parameters[-2].T
    for block in range(_BLOCKS, 0, -1):
        step, before = states[2 * block], states[2 * block - 1]
        inner = back * (step > 0)
        gradients = [before.T @ inner, inner.sum(axis=0), *gradients]
        back = back + inner @ parameters[2 * block].T
    first = back * (states[1] > 0)
    return [states[0].T @ first, first.sum(axis=0), *gradients]


@dataclass
class Adam:
    """AdamW (Loshchilov and Hutter 2019), in place."""

    rate: float = 2e-3
    decay: float = 1e-2
    step_count: int = 0

    def step(self, parameters: Parameters, gradients: Parameters) -> None:
        """One update of every parameter."""
        if not self.step_count:
            self._mean = [np.zeros_like(p) for p in parameters]
            self._square = [np.zeros_like(p) for p in parameters]
        self.step_count += 1
        for p, g, mean, square in zip(parameters, gradients, self._mean, self._square, strict=True):
            mean += 0.1 * (g - mean)
            square += 0.001 * (g**2 - square)
            scaled = mean / (1 - 0.9**self.step_count) / (np.sqrt(square / (1 - 0.999**self.step_count)) + 1e-8)
            p -= self.rate * (scaled + self.decay * p)


@dataclass(frozen=True, slots=True)
class Scaler:
    """Centres and scales features; a constant one becomes 0."""

    mean: FloatArray
    scale: FloatArray

    @staticmethod
    def of(features: FloatArray) -> "Scaler":
        """From seed and pool together."""
        spread = features.std(axis=0)
        return Scaler(features.mean(axis=0), np.where(spread > 1e-9, spread, 1.0))

    def __call__(self, features: FloatArray) -> FloatArray:
        return (features - self.mean) / self.scale
