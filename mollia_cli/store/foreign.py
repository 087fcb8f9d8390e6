"""Another project's database as a file that nobody vouches for: opened to be read, and what is no part of one refused.

Nothing of it is run: its schema must be ours to the letter, so that no view, trigger or expression of somebody else's
is there. Nothing is written beside it, and each value that is taken from it has been looked at.
"""

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from types import TracebackType
from typing import Any, Self

import numpy as np
from sqlite_utils import Database

from mollia_cli.domain.digest import canonical_json, digest_file, digest_text
from mollia_cli.domain.errors import NotFoundError, RefusedError
from mollia_cli.domain.observations import Observation
from mollia_cli.store.observations import FLOOR

_MAGIC = b"SQLite format 3\0"
_LONGEST = 64 << 20  # bytes of one value, a text's among them
_IDENTITY = 1 << 20  # characters of an identity
_NAME = 1000  # characters of an annotator's name
_NUMBER = 32  # characters of a number in an array
_WORDS = 1 << 16  # characters of an observation's answers
_SHOWN = 60  # characters of a name in a message
_ROUNDED = 1e-6  # what a stored number may be off
_SQLITE_ERRORS = (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError)  # the last where its message quotes the file
_MIGRATIONS = "_sqlite_migrations"
_OWN = "name LIKE 'sqlite\\_%' ESCAPE '\\' AND type IN ('table', 'index')"  # what SQLite itself makes
_GIVE = "give the folder of a copy of this project, or its mollia.db"
_SAME = "use the same version of mollia on both machines, and nothing else to write the file"
_AGAIN = "copy it again, or merge another copy"


@dataclass(frozen=True, slots=True)
class ForeignAnnotator:
    """Who has observed; ``key`` is the digest of ``identity``."""

    key: str
    name: str
    identity: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ForeignRow:
    """An observation with its seconds and memory, None where they were not measured."""

    observation: Observation
    seconds: float | None
    memory: int | None


class Foreign:
    """Another project's database, open to be read. ``digest``: SHA-256 of the file.

    ``own``: the database of this project, of which it must be a copy. What cannot be what mollia has written there
    raises RefusedError, here or while it is read; NotFoundError where there is no file.
    """

    def __init__(self, path: Path, own: Database) -> None:
        self.path = path
        self._before = self._check_file()
        self.digest = digest_file(path)
        try:
            # immutable: no lock and no file is made beside it, which may be on a stick that cannot be written
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        try:
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
            for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
                self._ask(f"PRAGMA {pragma}")
            self._check_schema(own)
            self._check_pages()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        if error is None and self._state() != self._before:
            raise self.refused("was written to while it was read", "let the command that writes it end, then merge")

    def refused(self, why: str, hint: str) -> RefusedError:
        """The error that names this file."""
        return RefusedError(f"{self.path} {why}", hint)

    def has_labels(self, labels: Sequence[tuple[Any, ...]]) -> bool:
        """Whether these (name, description) are its labels, in their order."""
        query = "SELECT name, description FROM label_sets WHERE is_current ORDER BY position LIMIT ?"
        return list(self._rows(query, len(labels) + 1)) == list(labels)

    def texts(self) -> Iterator[tuple[str, str]]:
        """(id, SHA-256 of the text) of every item."""
        for item_id, text in self._rows("SELECT id, text FROM items ORDER BY position"):
            if not isinstance(item_id, str) or not isinstance(text, str):
                raise self._altered("an item whose id or text is no text")
            yield item_id, digest_text(text)

    def annotators(self) -> Iterator[ForeignAnnotator]:
        """Who has observed anything."""
        query = "SELECT key, name, identity FROM annotators WHERE key IN (SELECT annotator FROM observations)"
        for key, name, written in self._rows(f"{query} ORDER BY created_at, name"):
            if not (isinstance(name, str) and 0 < len(name) <= _NAME):
                raise self._altered("an annotator whose name is none")
            identity = _identity(written)
            if identity is None or key != digest_text(written)[:32]:
                raise self._altered(f"an annotator, {name[:_SHOWN]!r}, whose key is not the digest of its identity")
            yield ForeignAnnotator(key, name, identity)

    def observations(self, annotator: ForeignAnnotator, classes: int) -> Iterator[ForeignRow]:
        """What an annotator has observed, by item; ``classes``: how many labels, 0 for as many as the first row has."""
        columns = "item, log_probs, votes, mass, invalid, slack, answers, tokens, truncated, seconds, memory"
        for row in self._rows(f"SELECT {columns} FROM observations WHERE annotator = ? ORDER BY item", annotator.key):
            classes = classes or len(_array(row[1], _LONGEST) or ())
            found = _observation(row, classes)
            if isinstance(found, str):
                name, item = annotator.name[:_SHOWN], str(row[0])[:_SHOWN]
                raise self._altered(f"an observation of {item!r} by {name!r} with {found}")
            yield found

    def _check_file(self) -> tuple[int, ...]:
        """Its state; raises where it is not one whole file."""
        if not self.path.is_symlink() and not self.path.exists():
            raise NotFoundError(f"there is no file {self.path}", _GIVE)
        if not S_ISREG(self.path.lstat().st_mode):
            raise self.refused("is a link or no file", "give the file itself")
        for end in ("-wal", "-journal"):
            log = self.path.with_name(self.path.name + end)
            if log.is_symlink() or (log.exists() and log.stat().st_size):
                raise self.refused(
                    f"is being written, or its command was killed ({log.name} is not empty)",
                    f"let it end, or finish what was killed: mollia status -p {self.path.parent}",
                )
        with self.path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise self.refused("is no SQLite file", _GIVE)
        return self._state()

    def _state(self) -> tuple[int, ...]:
        found = self.path.lstat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _check_schema(self, own: Database) -> None:
        """Before anything else is asked: that the file has the tables, views and triggers of ``own`` alone."""
        query = f"SELECT type, name, tbl_name, sql FROM sqlite_master WHERE NOT ({_OWN}) ORDER BY 1, 2 LIMIT 1000"
        ours, theirs = own.execute(query).fetchall(), list(self._rows(query))
        if not {"items", _MIGRATIONS} <= {row[1] for row in theirs}:
            raise self.refused("is no project's database", _GIVE)
        if theirs != ours:
            others = [f"{row[0]} {row[1]}" for row in (*theirs, *ours) if (row in theirs) != (row in ours)]
            raise self.refused(f"has another schema than this project ({', '.join(others)[:_SHOWN]})", _SAME)
        names = f"SELECT name FROM {_MIGRATIONS} WHERE migration_set = 'mollia' ORDER BY id LIMIT 1000"
        if list(self._rows(names)) != own.execute(names).fetchall():
            raise self.refused("is of another version of mollia", _SAME)

    def _check_pages(self) -> None:
        """That SQLite finds nothing wrong with its pages, indexes and references; reads all of it."""
        for (found,) in self._rows("PRAGMA integrity_check(1)"):
            if found != "ok":
                raise self.refused(f"is damaged ({' '.join(str(found).split())[:_SHOWN]})", _AGAIN)
        for row in self._rows("PRAGMA foreign_key_check(observations)"):
            raise self._altered(f"observations of {row[2]} that it does not hold")

    def _altered(self, what: str) -> RefusedError:
        return self.refused(f"holds {what}", "mollia has not written that: have the part annotated again")

    def _ask(self, query: str, *parameters: str | int) -> sqlite3.Cursor:
        try:
            return self._connection.execute(query, parameters)
        except _SQLITE_ERRORS as error:
            raise self._unreadable(error) from error

    def _rows(self, query: str, *parameters: str | int) -> Iterator[tuple[Any, ...]]:
        cursor = self._ask(query, *parameters)
        while True:
            try:
                row = cursor.fetchone()
            except _SQLITE_ERRORS as error:
                raise self._unreadable(error) from error
            if row is None:
                return
            yield row

    def _unreadable(self, error: Exception) -> RefusedError:
        return self.refused(f"cannot be read ({' '.join(str(error).split())[:_SHOWN]})", _AGAIN)


def _identity(written: Any) -> dict[str, Any] | None:
    """An identity as mollia writes it, or None."""
    if not isinstance(written, str) or len(written) > _IDENTITY:
        return None
    try:
        found = json.loads(written)
        return found if isinstance(found, dict) and canonical_json(found) == written else None
    except (ValueError, RecursionError):
        return None


def _observation(row: Sequence[Any], classes: int) -> ForeignRow | str:
    """The observation in a row of the table, or what of it cannot be."""
    item, written, shares, mass, invalid, slack, words, tokens, truncated, seconds, memory = row
    log_probs, votes, answers = _array(written, classes), _array(shares, classes), _answers(words)
    if log_probs is None or votes is None or not len(log_probs) == len(votes) == classes >= 2:
        return "arrays that do not have a number for each label"
    if not all(FLOOR <= value <= _ROUNDED for value in log_probs):
        return "a log-probability beyond its limits"
    if not all(map(_is_share, (*votes, mass, invalid))):
        return "a share that is not between 0 and 1"
    if abs(sum(votes) + invalid - 1.0) > _ROUNDED * (classes + 1):
        return "votes that do not sum to 1 with its invalid rate"
    if answers is None:
        return "answers that are no texts"
    if not (_is_count(tokens) and _is_count(truncated) and truncated <= 1):
        return "tokens that are no number of them"
    if not (_is_measure(slack) and (seconds is None or _is_measure(seconds)) and (memory is None or _is_count(memory))):
        return "slack, seconds or memory that are none"
    seen = Observation(
        item, np.array(log_probs), np.array(votes), mass, invalid, slack, answers, tokens, bool(truncated)
    )
    return ForeignRow(seen, seconds, memory)


def _array(written: Any, classes: int) -> list[float] | None:
    """The numbers of a JSON array, None where it is none, or longer than so many can be."""
    if not isinstance(written, str) or len(written) > _NUMBER * (classes + 1):
        return None
    try:
        found = json.loads(written)
        if isinstance(found, list) and all(type(value) in (int, float) for value in found):
            return [float(value) for value in found]
    except (ValueError, OverflowError, RecursionError):
        pass
    return None


def _answers(written: Any) -> tuple[str, ...] | None:
    """The texts of a JSON array, None where it is none."""
    if not isinstance(written, str) or len(written) > _WORDS:
        return None
    try:
        found = json.loads(written)
    except (ValueError, RecursionError):
        return None
    return tuple(found) if isinstance(found, list) and all(isinstance(word, str) for word in found) else None


def _is_share(value: Any) -> bool:
    """Between 0 and 1, as far as it is rounded; no comparison holds of a nan."""
    return type(value) in (int, float) and -_ROUNDED <= value <= 1.0 + _ROUNDED


def _is_measure(value: Any) -> bool:
    return type(value) in (int, float) and 0.0 <= value < math.inf


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
