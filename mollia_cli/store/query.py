"""SQL that a person asks for: on a connection of its own that cannot change anything."""

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mollia_cli.domain.errors import InputError, MolliaError, RefusedError
from mollia_cli.store.database import connect_to_read
from mollia_cli.store.errors import database_error, explained
from mollia_cli.store.schema import TABLES

_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_LOOKING = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"}
_STEPS = 100_000  # of SQLite's virtual machine, between two chances for Ctrl-C


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's columns, each name once (a second "id" is "id_2"), and its rows, streaming."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


def query(path: Path, sql: str) -> Answer:
    """Ask the database one SELECT (or EXPLAIN). The connection closes after the last row.

    Raises InputError for SQL that SQLite does not understand, and RefusedError for anything that
    would write, attach another file or change the connection.
    """
    with explained(path):
        connection = connect_to_read(path)
    try:
        connection.set_authorizer(_allowed)
        connection.set_progress_handler(lambda: 0, _STEPS)
        cursor = connection.execute(sql)
    except (sqlite3.Error, sqlite3.Warning) as error:
        connection.close()
        raise _explained(path, error) from None
    if cursor.description is None:
        connection.close()
        raise InputError("the query asks for nothing", "for example: mollia sql 'select count(*) from items'")
    return Answer(_distinct([column[0] for column in cursor.description]), _rows(path, connection, cursor))


def _allowed(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    looking = (action == sqlite3.SQLITE_PRAGMA and first in _LOOKING) or (
        # how SQLite announces pragma_table_info(...) and its like; a true UPDATE there is refused by SQLite itself
        action == sqlite3.SQLITE_UPDATE and first == "sqlite_master"
    )
    return sqlite3.SQLITE_OK if action in _READING or looking else sqlite3.SQLITE_DENY


def _rows(path: Path, connection: sqlite3.Connection, cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    with closing(connection):
        try:
            for row in cursor:
                yield tuple(map(_plain, row))
        except sqlite3.Error as error:
            raise _explained(path, error) from None


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: bytes become hexadecimal digits, infinities their names."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for name in names:
        own, number = name, 1
        while own in kept:
            number += 1
            own = f"{name}_{number}"
        kept.append(own)
    return tuple(kept)


def _explained(path: Path, error: Exception) -> MolliaError | KeyboardInterrupt:
    text, code = str(error), getattr(error, "sqlite_errorcode", 0) & 0xFF  # without SQLite's extended part
    if code == sqlite3.SQLITE_INTERRUPT:  # Ctrl-C reached Python within SQLite, which knows no better word
        return KeyboardInterrupt()
    refused = code in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY)
    if refused or text == "not authorized" or "may not be modified" in text:
        return RefusedError(f"`mollia sql` only reads ({text})", "ask with SELECT; change things by mollia's commands")
    if "no such table: " in text:
        name = text.rsplit(": ", 1)[1]
        near = get_close_matches(name, TABLES, n=1)
        return InputError(text, (f"did you mean {near[0]}? " if near else "") + f"there are {', '.join(TABLES)}")
    if "one statement" in text:
        return InputError(text, "give one SELECT at a time")
    if code == sqlite3.SQLITE_ERROR:
        return InputError(f"SQL: {text}", "see the tables and their columns: mollia sql")
    return database_error(path, error) if isinstance(error, sqlite3.Error) else InputError(text)
