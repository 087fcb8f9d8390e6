"""The engine contract: where work runs that processes other than this one can do, here or on other machines."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from mollia_cli.domain.errors import RefusedError

ENDS = 3  # workers that one task may end before it is given up


class LostError(RefusedError):
    """A task has ended ``ENDS`` workers; ``number``: the task's, as ``Engine.map`` counts them from 0."""

    def __init__(self, number: int, how: str) -> None:
        super().__init__(
            f"task {number} has ended {ENDS} workers{how}",
            "start fewer of them, which leaves each more memory: --workers",
        )
        self.number, self.how = number, how


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What a command gives its engine to be made from.

    address: of a scheduler that runs already, "" for workers of this machine that end with the command. workers: how
    many of those, 1 or more. threads: that each of them computes with. certificates: the folder of this project's TLS
    certificates. say: hears remarks for people.
    """

    address: str
    workers: int
    threads: int
    certificates: str
    say: Callable[[str], None]


class Engine(ABC):
    """Workers that call one function of this package with JSON texts; only who started it has the database.

    Used as a context: outside of it nothing of the engine runs any more, whatever happened inside.
    """

    @classmethod
    @abstractmethod
    def from_context(cls, context: EngineContext) -> Self:
        """The engine; nothing is started or connected yet. InputError for an address that it cannot be used with."""

    @abstractmethod
    def start(self) -> None:
        """Start the workers or connect to them. RefusedError if that cannot be done, with what to do instead."""

    @abstractmethod
    def close(self) -> None:
        """End what was started, leave what was not."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many workers there are now."""

    @abstractmethod
    def everywhere(self, function: str, common: str) -> list[str]:
        """``function(common)`` of each worker that there is now: a JSON text, by "module:name"."""

    @abstractmethod
    def map(self, function: str, common: str, tasks: Iterable[str]) -> Iterator[tuple[int, str]]:
        """(number, ``function(common, task)``) of every task as they end, each exactly once.

        A worker has one task at a time and keeps between tasks what ``common`` made it load. The task of a worker that
        died is given to another one; so that the iterator can be left at any time, tasks are drawn as workers become
        free. Raises LostError when a task has ended ``ENDS`` workers, RefusedError if no worker is left, and what
        ``function`` raised, as an error of mollia (``calls.answer`` on the worker, ``calls.read`` here).
        """

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
