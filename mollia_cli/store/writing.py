"""How rows are written: one writer at a time, and stamped."""

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from mollia_cli.store.errors import BUSY_SECONDS, ExplainingConnection, LockedError


class Connection(Database):
    """A database whose transactions ask for the right to write at their start, and whose errors are StoreErrors.

    SQLite lets one that has read first wait for nobody: if another process has written since, it fails at once.
    """

    read_only = False

    def __init__(self, connection: ExplainingConnection, path: Path) -> None:
        connection.path = path
        super().__init__(connection)

    @contextmanager
    def atomic(self) -> Iterator[Database]:
        """Everything inside is stored together or not at all; nested ones are part of the outer one."""
        if self.conn.in_transaction:
            with super().atomic():
                yield self
            return
        self._begin()
        with self.conn:  # commits, or takes everything back
            yield self

    def _begin(self) -> None:
        end = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self.conn.execute("BEGIN IMMEDIATE")
            except LockedError:
                if time.monotonic() >= end:
                    raise
            else:
                return


def now() -> str:
    """The present time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def not_before(db: Database, table: str, column: str) -> str:
    """The present time, or the last one in a column of times by which rows are ordered: clocks are put back."""
    last: Any = db.execute(f"SELECT max(substr({column}, 1, {len(now())})) FROM {table}").fetchone()[0]
    return max(now(), last or "")
