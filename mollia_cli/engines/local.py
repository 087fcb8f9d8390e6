"""Worker processes of this machine: JSON lines over pipes, no socket, nothing that outlives the command."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from threading import Thread
from time import monotonic
from typing import IO, Self

import mollia_cli
from mollia_cli.domain.errors import InputError
from mollia_cli.engines import calls
from mollia_cli.engines.base import ENDS, Engine, EngineContext, LostError

COMMAND = ("-P", "-m", "mollia_cli.engines.worker")  # -P: not the folder that this was started in
# A worker that takes so many times as long as the slowest task so far, and a minute at least, hangs: it is ended, and
# its task given to another one. Before the first task has ended nothing is known, and nothing is ended.
SLOWER, LEAST_SECONDS = 10.0, 60.0
_TICK = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker is asked, by its number; ``ends``: how many workers have ended over it."""

    number: int
    asked: list[str]
    ends: int = 0


class _Worker:
    """One process. What it answers comes into ``heard`` as (worker, line), and (worker, b"") when it has ended."""

    def __init__(self, heard: "SimpleQueue[tuple[_Worker, bytes]]") -> None:
        package = str(Path(mollia_cli.__file__).parents[1])
        paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._words: IO[bytes] = TemporaryFile()  # noqa: SIM115 -- closed by close()
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self._heard = heard
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.task: _Task | None = None
        self.seconds = 0.0  # that it has been at its task

    def give(self, task: _Task) -> None:
        """Have it do a task; one that has ended is heard of."""
        self.task, self.seconds = task, 0.0
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(task.asked).encode() + b"\n")
            self._process.stdin.flush()

    def kill(self) -> None:
        """End the process."""
        self._process.kill()

    def close(self) -> str:
        """End the process and free what it had; says how it ended."""
        self.kill()
        status = self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]
        self._words.seek(0)
        last = (self._words.read().decode("utf-8", "replace").strip().splitlines() or [""])[-1]
        self._words.close()
        how = f", the last one by {signal.Signals(-status).name}" if status < 0 else ""
        return f"{how}: {last}" if last else how

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith(b"\n"):  # else it was ended while it wrote
                self._heard.put((self, line))
        self._heard.put((self, b""))


class LocalEngine(Engine):
    """So many worker processes; one that ends is replaced, and the new one gets its task."""

    def __init__(self, workers: int) -> None:
        self._size = workers
        self._workers: list[_Worker] = []
        self._heard = SimpleQueue[tuple[_Worker, bytes]]()

    @classmethod
    def from_context(cls, context: EngineContext) -> Self:
        """Processes of this machine; InputError for an address."""
        if context.address:
            raise InputError(
                f"the engine local has no address, and {context.address!r} was given",
                "leave --address away, or name an engine of other machines: --on dask",
            )
        return cls(context.workers)

    def start(self) -> None:
        """Start the processes that are missing."""
        while len(self._workers) < self._size:
            self._workers.append(_Worker(self._heard))

    def close(self) -> None:
        """End them: they hold nothing that is not here, too."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.close()
        self._workers = []

    @property
    def workers(self) -> int:
        """How many processes."""
        return self._size

    def everywhere(self, function: str, common: str) -> list[str]:
        """Each process is asked once, all at the same time."""
        return [text for _, text in self._work(_Task(number, [function, common]) for number in range(self._size))]

    def map(self, function: str, common: str, tasks: Iterable[str]) -> Iterator[tuple[int, str]]:
        """One task a process at a time; see ``SLOWER`` for those that hang."""
        numbers = count()
        return self._work(_Task(next(numbers), [function, common, task]) for task in tasks)

    def _work(self, tasks: Iterator[_Task]) -> Iterator[tuple[int, str]]:
        self.start()
        slowest = 0.0
        try:
            while True:
                for worker in self._workers:
                    if worker.task is None and (task := next(tasks, None)):
                        worker.give(task)
                if not any(worker.task for worker in self._workers):
                    return
                worker, line = self._next(slowest)
                if worker not in self._workers:
                    continue
                if not line:
                    self._replace(worker)
                elif task := worker.task:
                    worker.task, slowest = None, max(slowest, worker.seconds)
                    yield task.number, calls.read(line.decode())
        finally:
            for worker in [worker for worker in self._workers if worker.task]:  # left while they work
                self._workers.remove(worker)
                worker.close()

    def _next(self, slowest: float) -> tuple[_Worker, bytes]:
        """The next line, or end, of a worker; meanwhile those that hang are ended.

        Time counts in small steps, so that a machine or a program that was stopped does not make its workers late.
        """
        limit = max(LEAST_SECONDS, SLOWER * slowest) if slowest else float("inf")
        while True:
            before = monotonic()
            try:
                heard = self._heard.get(timeout=_TICK)
            except Empty:
                heard = None
            for worker in self._busy():
                worker.seconds += min(monotonic() - before, 2 * _TICK)
                if worker.seconds > limit:
                    worker.kill()
            if heard:
                return heard

    def _busy(self) -> Sequence[_Worker]:
        return [worker for worker in self._workers if worker.task]

    def _replace(self, worker: _Worker) -> None:
        """Another process for one that has ended, with its task; LostError if that has ended too many."""
        how, task = worker.close(), worker.task
        self._workers.remove(worker)
        if task and (ends := task.ends + 1) == ENDS:
            raise LostError(task.number, how)
        self._workers.append(other := _Worker(self._heard))
        if task:
            other.give(replace(task, ends=ends))
