"""Progress as bars on a terminal's stderr."""

import sys
import time
from dataclasses import dataclass
from threading import RLock, Timer
from typing import TYPE_CHECKING, Any

from mollia_cli.domain.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress

_SHOW_AFTER_SECONDS = 1.0


def time_left(seconds: float, done: int, total: int) -> str:
    """What is left, at the pace of all that has passed: a machine that got busier or idle corrects it."""
    return f"{duration(seconds * (total - done) / done)} left" if done else ""


def duration(seconds: float) -> str:
    """Seconds as people say them: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@dataclass(slots=True)
class _Work:
    """A piece of work: when it began and with how much done, how far it is, when it is to be shown, and its bar."""

    started: float
    first: int
    done: int
    total: int
    timer: Timer
    task: Any = None

    @property
    def length(self) -> int | None:
        """What a bar of it ends with; None where a bar could only be empty or full."""
        return self.total if self.total > 1 else None

    @property
    def said(self) -> str:
        """How much is done and the time that is left; where nobody has counted, the time that has passed."""
        passed = time.monotonic() - self.started
        if self.length is None:
            return f"{self.done:,}  {duration(passed)}" if self.done else duration(passed)
        return f"{self.done:,}/{self.total:,}  {time_left(passed, self.done - self.first, self.total - self.first)}"


class ProgressBar:
    """``(what, done, total)``, see ``domain/progress.py``, as a bar that is shown after a second and gone at the end.

    A thread draws it, so that work is named which says nothing before it has ended: loading a model.
    """

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._lock = RLock()
        self._bar: Progress | None = None
        self._work: dict[str, _Work] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if not self._enabled:
            return
        with self._lock:
            if 0 <= total <= done:
                self._finish(what)
                return
            work = self._work.get(what)
            if work is None:
                timer = Timer(_SHOW_AFTER_SECONDS, self._show, [what])
                timer.daemon = True
                work = self._work[what] = _Work(time.monotonic(), done, done, total, timer)
                timer.start()
            work.done, work.total = done, total
            if self._bar is not None and work.task is not None:
                self._bar.update(work.task, completed=done, total=work.length)

    def _show(self, what: str) -> None:
        with self._lock:
            work = self._work.get(what)
            if work is None or work.task is not None:
                return
            if self._bar is None:
                self._bar = _bar()
                self._bar.start()
            work.task = self._bar.add_task(printable(what), completed=work.done, total=work.length, work=work)

    def _finish(self, what: str) -> None:
        work = self._work.pop(what, None)
        if work is None:
            return
        work.timer.cancel()
        if self._bar is not None and work.task is not None:
            self._bar.remove_task(work.task)
            if all(other.task is None for other in self._work.values()):
                self._bar.stop()
                self._bar = None

    def stop(self) -> None:
        """Take the bars off the screen."""
        with self._lock:
            for what in list(self._work):
                self._finish(what)


def _bar() -> "Progress":
    from rich.console import Console  # rich takes time
    from rich.progress import BarColumn, Progress, TextColumn

    described = TextColumn("{task.description}", markup=False)
    said = TextColumn("{task.fields[work].said}", markup=False)
    # data that are printed meanwhile stand above the bar where both are on the screen, and go where they go elsewhere
    redirect = sys.stdout.isatty()
    return Progress(
        described, BarColumn(), said, console=Console(stderr=True), transient=True, redirect_stdout=redirect
    )
