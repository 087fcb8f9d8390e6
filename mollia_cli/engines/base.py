"""The engine contract: where work runs that processes other than this one can do, here or on other machines."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What a command gives its engine to be made from.

    address: of a scheduler that runs already, "" for workers of this machine that end with the command. workers: how
    many of those, 0 for what this machine has cores for. certificates: the folder of this project's TLS certificates.
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
        free. Raises RefusedError when a task has ended three workers or no worker is left, and what ``function``
        raised, as an error of mollia.
        """

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
