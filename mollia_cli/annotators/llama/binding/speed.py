"""The prefill ceiling of a model file: tokens per second of plain 512-token batches."""

from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Self

import numpy as np

from mollia_cli.annotators.llama.binding.llama import Context, Model

CEILING_BATCH = 512
_FILLER = "What is the longest river of the country where the author of this book was born, and who named it? "


@dataclass(slots=True)
class Clock:
    """Tokens, wall seconds and CPU seconds of one kind of work."""

    tokens: int = 0
    wall: float = 0.0
    cpu: float = 0.0

    def add(self, wall: float, cpu: float, tokens: int = 0) -> None:
        """Add one measurement."""
        self.tokens += tokens
        self.wall += wall
        self.cpu += cpu

    @property
    def rate(self) -> float:
        """Tokens per second of wall time."""
        return self.tokens / max(self.wall, 1e-9)

    @property
    def cpu_rate(self) -> float:
        """Tokens per second of CPU time, which other processes disturb less."""
        return self.tokens / max(self.cpu, 1e-9)


class Ceiling:
    """Times batches of 512 tokens of one sequence with one row of logits, a batch at a time."""

    def __init__(self, model: Model) -> None:
        self._context = Context(model, cells=CEILING_BATCH, sequences=1, batch=CEILING_BATCH, threads=1)
        self._tokens = np.resize(model.tokenize(_FILLER), CEILING_BATCH)
        self._warm = False
        self.clock = Clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._context.close()

    def measure(self, threads: int) -> float:
        """Time one batch and return its tokens per second; the very first runs twice, to warm pages and caches."""
        self._context.set_threads(threads)
        once = Clock()
        for _ in range(1 if self._warm else 2):
            self._context.clear()
            self._context.add(self._tokens, 0, [0], want_last=True)
            wall, cpu = perf_counter(), process_time()
            self._context.decode()
            once = Clock(CEILING_BATCH, perf_counter() - wall, process_time() - cpu)
        self._warm = True
        self.clock.add(once.wall, once.cpu, once.tokens)
        return once.rate
