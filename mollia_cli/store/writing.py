"""How rows are written: one writer at a time, and stamped."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from sqlite_utils import Database


def now() -> str:
    """The present time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@contextmanager
def writing(db: Database) -> Iterator[None]:
    """A transaction that holds the write lock from its beginning, or a part of the one that is open.

    What is read in it cannot change before it is written: a transaction that reads first and then wants to
    write would be refused at once if another process had written in between.
    """
    if db.conn.in_transaction:
        with db.atomic():
            yield
        return
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.conn.execute("COMMIT")
    except BaseException:
        db.conn.rollback()
        raise
