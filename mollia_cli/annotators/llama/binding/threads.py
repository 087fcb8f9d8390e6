"""How many CPU threads: measured, not assumed.

llama.cpp's threads wait for each other by spinning, so on a machine that is busy with
something else two threads can be slower than one. The number of threads changes what is computed
by rounding at most (2e-5 of a probability was seen); one that is fixed gives the same to the last bit.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from mollia_cli.annotators.llama.binding.llama import Context

_SMALL = 64  # decodes of fewer tokens say little about speed
_FELL = 0.6  # below this share of the best rate seen, the others are tried again


def available() -> int:
    """CPU cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


def candidates() -> list[int]:
    """Thread counts worth measuring: all cores, half of them, one."""
    cores = available()
    return sorted({cores, (cores + 1) // 2, 1}, reverse=True)


class ThreadChoice:
    """Settles on the fastest of a few thread counts; a number given by the user is taken as it is."""

    def __init__(self, fixed: int = 0) -> None:
        self._options = [fixed] if fixed > 0 else candidates()
        self._rates: dict[int, float] = {}
        self._best_seen = 0.0
        self.current = self._options[0]

    @property
    def undecided(self) -> bool:
        """Whether some candidate has not been measured."""
        return len(self._options) > 1 and len(self._rates) < len(self._options)

    @contextmanager
    def timed(self, context: Context, tokens: int) -> Iterator[None]:
        """Run one decode of ``tokens`` tokens with the chosen count and learn from its time."""
        if self.undecided:
            self.current = next(count for count in self._options if count not in self._rates)
        context.set_threads(self.current)
        begin = perf_counter()
        yield
        if tokens >= _SMALL and len(self._options) > 1:
            self._learn(tokens / max(perf_counter() - begin, 1e-9))

    def _learn(self, rate: float) -> None:
        self._rates[self.current] = rate
        if self.undecided:
            return
        self.current = max(self._rates, key=lambda count: self._rates[count])
        self._best_seen = max(self._best_seen, self._rates[self.current])
        if self._rates[self.current] < _FELL * self._best_seen:
            self._rates = {self.current: self._rates[self.current]}
            self._best_seen = 0.0
