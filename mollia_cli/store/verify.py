"""Comparing the tables with the journal: which rows are not as mollia has written them."""

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database

from mollia_cli.store.journal import FIRST, KEYS, Change, Entry, Journal, Key, changes_digest

ADDED = "added"
ALTERED = "altered"
REMOVED = "removed"
BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: a row (``table``, its ``key`` by column) and what happened to it."""

    table: str
    key: dict[str, Any]
    what: str
    detail: str


@dataclass(slots=True)
class Verification:
    """What was compared and what was found. ``since``: entries behind the head that was asked for, None without."""

    entries: int = 0
    head: str = FIRST
    since: int | None = None
    rows: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def verify(db: Database, head: str = "") -> Verification:
    """Re-derive every digest, in one consistent view of the database; ``head``: a hash that the chain must hold.

    Memory grows with the number of rows, by some 300 bytes each.
    """
    journal, found = Journal(db), Verification()
    db.conn.execute("BEGIN")  # reads only: no writer has to wait, and a project that may not be written will do
    try:
        expected = _replay(journal, head, found)
        for table in KEYS:
            found.findings += _compare(journal, table, expected[table], found)
    finally:
        db.conn.rollback()
    return found


def _replay(journal: Journal, head: str, found: Verification) -> dict[str, dict[Key, str]]:
    """Check the chain, and follow it to what every row must be now."""
    expected: dict[str, dict[Key, str]] = {table: {} for table in KEYS}
    nameless: Counter[str] = Counter()  # digests of rows whose keys were blanked
    for entry in journal.entries():
        changes = _readable(entry)
        found.findings += _links(entry, changes, found)
        for table, key, before, after in changes:
            if not key:
                nameless[after] += 1
                nameless[before] -= 1
                continue
            known = expected.get(table, {}).pop(key, "")
            if known != before:
                detail = f"it was not as the journal had it when entry {entry.seq} ({entry.verb}) changed it"
                found.findings.append(_finding(table, key, ALTERED, detail))
            if after:
                expected.setdefault(table, {})[key] = after
        found.entries, found.head = entry.seq, entry.hash
        found.since = 0 if head and entry.hash == head else None if found.since is None else found.since + 1
    del nameless[""]
    if any(nameless.values()):
        detail = "rows have lost their keys, and no entry says that they were forgotten"
        found.findings.append(Finding("journal", {}, BROKEN, detail))
    if head and found.since is None:
        detail = (
            f"no entry has the hash {head}: the journal was cut or rewritten since it was noted, or it is another's"
        )
        found.findings.append(Finding("journal", {}, BROKEN, detail))
    return expected


def _readable(entry: Entry) -> list[Change]:
    """The entry's rows; none where somebody has put something else there."""
    try:
        return entry.changes
    except (zlib.error, ValueError, TypeError):
        return []


def _links(entry: Entry, changes: Sequence[Change], found: Verification) -> Iterator[Finding]:
    """What is wrong with an entry itself; ``found`` ends with the one before it."""
    if entry.seq != found.entries + 1 or entry.previous != found.head:
        yield _broken(entry, "it does not follow the entry before it: an entry was added, removed or altered")
    if entry.hash != entry.hash_now():
        yield _broken(entry, "its hash is not that of its columns")
    if entry.digest != changes_digest(changes) or entry.count != len(changes):
        yield _broken(entry, "its list of rows is not the one that it was written with")


def _compare(journal: Journal, table: str, expected: dict[Key, str], found: Verification) -> Iterator[Finding]:
    """The rows of a table that are not as expected; what is left of ``expected`` is missing."""
    count = 0
    for key, digest in journal.digests(table):
        count += 1
        known = expected.pop(key, "")
        if not known:
            yield _finding(table, key, ADDED, "mollia has not written it")
        elif known != digest:
            yield _finding(table, key, ALTERED, "it is not as mollia has written it last")
    found.rows[table] = count
    for key in expected:
        yield _finding(table, key, REMOVED, "mollia has written it, and it is gone")


def _finding(table: str, key: Key, what: str, detail: str) -> Finding:
    return Finding(table, dict(zip(KEYS.get(table, ()), key, strict=False)), what, detail)


def _broken(entry: Entry, detail: str) -> Finding:
    return Finding("journal", {"seq": entry.seq}, BROKEN, detail)
