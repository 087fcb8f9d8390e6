"""From logits to probabilities: the plain softmax, and temperature with a nucleus.

Temperature comes first and the nucleus (top-p) is cut from the tempered distribution, as
transformers does and as the paper's generations were drawn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mollia_cli.annotators.llama.binding.llama import Logits
from mollia_cli.domain.prompting import Decoding

SAMPLING_RULE = "temperature-then-nucleus/1"


class Softmax:
    """Normalisers of logit rows of one width, without a new array for each."""

    def __init__(self, width: int) -> None:
        self._buffer = np.empty(width, dtype=np.float32)

    def log_partition(self, row: Logits, temperature: float = 1.0) -> tuple[float, float]:
        """(maximum logit, log sum exp((logits - maximum) / temperature))."""
        peak = float(row.max())
        np.subtract(row, np.float32(peak), out=self._buffer)
        if temperature != 1.0:
            np.multiply(self._buffer, np.float32(1.0 / temperature), out=self._buffer)
        np.exp(self._buffer, out=self._buffer)
        return peak, float(np.log(self._buffer.sum()))  # numpy sums in pairs: float32 is enough


@dataclass(frozen=True, slots=True)
class Nucleus:
    """The tokens that may be drawn, most probable first, and their renormalised probabilities."""

    tokens: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def draw(self, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
        """Tokens for uniform numbers in [0, 1), by inversion: near numbers give near draws."""
        edges = np.cumsum(self.probabilities)
        index = np.searchsorted(edges, uniforms * edges[-1], side="right")
        return np.asarray(self.tokens[np.minimum(index, len(self.tokens) - 1)])


def nucleus(row: Logits, softmax: Softmax, decoding: Decoding) -> Nucleus:
    """The smallest set of most probable tokens whose tempered probability reaches top-p."""
    if decoding.temperature == 0.0:
        return Nucleus(np.array([int(row.argmax())]), np.ones(1))
    peak, log_sum = softmax.log_partition(row, decoding.temperature)
    reach = 8.0 * decoding.temperature
    while True:
        candidates = np.flatnonzero(row >= np.float32(peak - reach))
        scaled = (row[candidates].astype(np.float64) - peak) / decoding.temperature - log_sum
        order = np.lexsort((candidates, -scaled))
        probabilities = np.exp(scaled[order])
        total = np.cumsum(probabilities)
        if len(candidates) == len(row) or total[-1] >= decoding.top_p:
            break
        reach *= 2.0
    size = min(int(np.searchsorted(total, decoding.top_p)) + 1, len(order))
    kept = probabilities[:size]
    return Nucleus(candidates[order[:size]].astype(np.int64), kept / kept.sum())
