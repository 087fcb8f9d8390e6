"""The memory of this process: what is resident, the most there was, and what a piece of work takes.

Resident are the pages of this process that are in RAM: what it has allocated and touched, and files that it has mapped
(the weights of an LLM) as far as they were read. Memory of a GPU is not counted.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

_CLEAR, _THE_MARK = Path("/proc/self/clear_refs"), "5"  # proc(5): sets the mark back to what is resident now
_highest = 0  # of the marks that were set back


def resident() -> int | None:
    """Resident memory now, in bytes, or None where it is not known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    import resource

    return pages * resource.getpagesize()


def peak_rss() -> int:
    """The most resident memory that this process had, in bytes; 0 where it is not known."""
    return max(_highest, _mark())


class Peak:
    """The most resident memory during pieces of one kind of work, in bytes: of the LLM that reads, of a training.

    Each piece goes ``with`` the peak. Other work may be done in between: what a piece leaves behind (``held``), as a
    model that stays loaded, belongs to the next one.

    The kernel's high-water mark is a process's: at the start of a piece it is set back to what is resident then
    (Linux; an outside ``time -v`` sees the mark since the last piece). Where it cannot be set back, a piece has a peak
    only where it raises the mark, and ``added``, counted from the old mark, is at least so much.
    """

    def __init__(self) -> None:
        self.held = 0
        self._before = 0
        self._exact = False

    def __enter__(self) -> Self:
        self._exact = _set_back()
        self._before = _mark()
        return self

    def __exit__(self, *_exc: object) -> None:
        left = (resident() if self._exact else None) or _mark()
        self.held = max(0, self.held + left - self._before)

    @property
    def process(self) -> int | None:
        """The whole process at the peak of the present piece; None where it is not known."""
        mark = _mark()
        return mark if mark > self._before or (self._exact and mark) else None

    @property
    def added(self) -> int | None:
        """What the work has added to the process at that peak, with what its earlier pieces left behind."""
        return None if self.process is None else self.held + self.process - self._before


def megabytes(size: int | None) -> int | None:
    """Bytes in units of 2^20, for tables."""
    return None if size is None else round(size / 2**20)


def _mark() -> int:
    """The high-water mark in bytes; 0 where there is none."""
    with suppress(OSError, StopIteration):  # Linux, where getrusage has the mark of the process that started this one
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _set_back() -> bool:
    """Set the mark to what is resident now; whether that was possible."""
    global _highest
    highest = peak_rss()
    try:
        _CLEAR.write_text(_THE_MARK)
    except OSError:
        return False
    _highest = highest
    return True
