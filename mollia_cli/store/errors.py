"""SQLite's errors as messages: the one place in which they are translated, below everything that asks the database."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from mollia_cli.domain.errors import RefusedError, StoreError

BUSY_SECONDS = 600.0  # another process may be in the middle of a large import
_ROOM = 1 << 20  # bytes free on a disk with less than which it is as good as full

R = TypeVar("R")


class DamagedError(StoreError, RefusedError):
    """The file is no database, or no whole one."""


class LockedError(StoreError):
    """Another process writes, and has not ended in time."""


def database_error(path: Path, error: sqlite3.Error) -> StoreError:
    """What went wrong in SQLite, in words that a user can act on."""
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return DamagedError(
            f"{path} is damaged or no database ({text})",
            f"restore it from a backup; `mollia doctor -p {path.parent}` says what is damaged, and"
            f" `sqlite3 {path.name} .recover` saves what can be read",
        )
    if "full" in text or ("disk I/O" in text and shutil.disk_usage(path.parent).free < _ROOM):
        return StoreError(
            f"the disk is full: {path} could not be written",
            "free some space and run the same command again; everything up to the last finished batch is kept",
        )
    if "disk I/O" in text:
        return StoreError(
            f"{path} could not be read or written ({text})",
            "check that its disk is there and has free space, then run the same command again",
        )
    if "readonly" in text or "unable to open" in text:
        return StoreError(f"{path} cannot be written ({text})", "check the permissions of the file and its folder")
    if "locked" in text:
        return LockedError(
            f"{path} was locked by another process for over {BUSY_SECONDS / 60:.0f} minutes",
            "wait until the other mollia command has ended, then run this one again",
        )
    return StoreError(f"{path}: {text}", "run the command again with --debug for details")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Within, errors of SQLite's raise StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise database_error(path, error) from error


def _explaining(method: Callable[..., R]) -> Callable[..., R]:
    """The method of a connection or cursor, with its errors translated."""

    @wraps(method)
    def call(*args: Any, **options: Any) -> R:
        try:  # no context manager: this runs for each row
            return method(*args, **options)
        except sqlite3.Error as error:
            path = getattr(args[0], "connection", args[0]).path
            if path is None:
                raise
            raise database_error(path, error) from error

    return call


class _Cursor(sqlite3.Cursor):
    execute = _explaining(sqlite3.Cursor.execute)
    executemany = _explaining(sqlite3.Cursor.executemany)
    fetchone = _explaining(sqlite3.Cursor.fetchone)
    fetchmany = _explaining(sqlite3.Cursor.fetchmany)
    fetchall = _explaining(sqlite3.Cursor.fetchall)
    __next__ = _explaining(sqlite3.Cursor.__next__)


class ExplainingConnection(sqlite3.Connection):
    """A connection whose errors are StoreErrors once ``path`` says of which file."""

    path: Path | None = None

    def execute(self, *query: Any) -> sqlite3.Cursor:
        """As sqlite3's, by a cursor that explains errors of reading, too."""
        cursor: sqlite3.Cursor = self.cursor(_Cursor).execute(*query)
        return cursor

    def executemany(self, *query: Any) -> sqlite3.Cursor:
        """As sqlite3's."""
        cursor: sqlite3.Cursor = self.cursor(_Cursor).executemany(*query)
        return cursor

    commit = _explaining(sqlite3.Connection.commit)
    rollback = _explaining(sqlite3.Connection.rollback)
    backup = _explaining(sqlite3.Connection.backup)
    __exit__ = _explaining(sqlite3.Connection.__exit__)
