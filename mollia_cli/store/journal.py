"""The audit journal: one entry for each batch of rows that was written, chained by digests.

An entry's ``rows`` lists, for every row of the batch, its table, its key, and the digest of the row before
and after ("" where there was, or is, none). The chain covers the digests and not the keys: a key may be an
item's id, and is blanked when the item is forgotten, while the digests stay where they are.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from mollia_cli.domain.digest import digest_of
from mollia_cli.store.writing import now

Key = tuple[Any, ...]
Change = tuple[str, Key, str, str]  # table, key, digest before, digest after

KEYS: dict[str, tuple[str, ...]] = {
    "label_sets": ("digest", "position"),
    "items": ("id",),
    "imports": ("id",),
    "item_changes": ("id",),
    "annotators": ("key",),
    "observations": ("annotator", "item"),
    "merges": ("id",),
    "fits": ("digest",),
    "verdicts": ("fit", "item"),
    "runs": ("name",),
    "rounds": ("run", "round"),
    "selections": ("run", "item"),
    "opinions": ("run", "round", "item"),
    "decisions": ("id",),
    "synthetic": ("id",),
}
"""By table: the columns that name a row. Every table that the journal covers."""

FORGET = "forget"
FIRST = ""  # stands for the entry before the first
_HEX = 32  # digits of a row's digest: 128 bits
_PARAMETERS = 900  # in one statement; older SQLite takes 999
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=bytes.hex).encode


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``verb``: what mollia did; ``what``: the tables; ``count``: how many rows it changed."""

    seq: int
    at: str
    verb: str
    what: str
    count: int
    digest: str
    previous: str
    hash: str
    rows: bytes

    @property
    def changes(self) -> list[Change]:
        """The rows that were changed; a blanked key is empty."""
        return _unpack(self.rows)

    def hash_now(self) -> str:
        """What ``hash`` must be."""
        return _hash(self.seq, self.at, self.verb, self.what, self.count, self.digest, self.previous)


class Journal:
    """Writing and reading the journal of one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @contextmanager
    def entry(self, verb: str, touched: Mapping[str, Sequence[Key]]) -> Iterator[None]:
        """A transaction that may write the rows with these keys (by table), and no others, as one entry.

        Rows that are the same afterwards are left out; where all are, there is no entry.
        """
        with self._db.atomic():
            before = {table: self._digests(table, keys) for table, keys in touched.items()}
            yield
            changes: list[Change] = []
            for table, keys in touched.items():
                after = self._digests(table, keys)
                for key in dict.fromkeys(keys):
                    change = before[table].get(key, ""), after.get(key, "")
                    if change[0] != change[1]:
                        changes.append((table, key, *change))
            if changes:
                self._append(verb, changes)

    def entries(self) -> Iterator[Entry]:
        """Every entry in its order."""
        for row in self._db.execute(f"SELECT {', '.join(Entry.__slots__)} FROM journal ORDER BY seq"):
            yield Entry(*row)

    def head(self) -> str:
        """The last entry's hash; "" where there is none."""
        return self._last()[1]

    def digests(self, table: str) -> Iterator[tuple[Key, str]]:
        """(key, digest) of every row of a table, as it is now."""
        yield from self._rows(table, f"SELECT * FROM {table}", [])

    def mentions(self, name: str) -> Iterator[tuple[Entry, list[Change]]]:
        """The entries, each with those of its rows, that have ``name`` in their key."""
        written = _encode(name).encode()
        for entry in self.entries():
            if written in zlib.decompress(entry.rows):
                yield entry, [change for change in entry.changes if name in change[1]]

    def blank(self, gone: Iterable[tuple[str, Key]]) -> None:
        """Take these keys (table, key) out of every entry; the last entry must say that they were forgotten."""
        keys = set(gone)
        for seq in range(1, self._last()[0] + 1):
            [(rows,)] = self._db.execute("SELECT rows FROM journal WHERE seq = ?", [seq])
            changes = _unpack(rows)
            left = [(t, () if (t, key) in keys else key, before, after) for t, key, before, after in changes]
            if left != changes:
                self._db.execute("UPDATE journal SET rows = ? WHERE seq = ?", [_pack(left), seq])

    def _append(self, verb: str, changes: Sequence[Change]) -> None:
        seq, previous = self._last()
        what = ", ".join(dict.fromkeys(table for table, *_ in changes))
        head = (seq + 1, now(), verb, what, len(changes), changes_digest(changes), previous)
        self._db.execute(
            f"INSERT INTO journal ({', '.join(Entry.__slots__)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*head, _hash(*head), _pack(changes)],
        )

    def _last(self) -> tuple[int, str]:
        row = self._db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        return row or (0, FIRST)

    def _digests(self, table: str, keys: Sequence[Key]) -> dict[Key, str]:
        """The digests of those of the rows that are there."""
        names = KEYS[table]
        found: dict[Key, str] = {}
        at_once = _PARAMETERS // len(names)
        for start in range(0, len(keys), at_once):
            some = keys[start : start + at_once]
            marks = ", ".join([f"({', '.join('?' * len(names))})"] * len(some))
            same = " AND ".join(f"t.{name} = k.column{place}" for place, name in enumerate(names, 1))
            # the keys first, each looked up: "WHERE (a, b) IN (VALUES ...)" would scan the whole table
            query = f"SELECT t.* FROM (VALUES {marks}) k CROSS JOIN {table} t ON {same}"
            found.update(self._rows(table, query, [part for key in some for part in key]))
        return found

    def _rows(self, table: str, query: str, parameters: Sequence[Any]) -> Iterator[tuple[Key, str]]:
        cursor = self._db.execute(query, list(parameters))
        names = [column[0] for column in cursor.description]
        places = [names.index(name) for name in KEYS[table]]
        for row in cursor:
            # a column that a later version adds is null in older rows, and must not change their digests
            values = {name: value for name, value in zip(names, row, strict=True) if value is not None}
            digest = hashlib.sha256(_encode([table, values]).encode()).hexdigest()[:_HEX]
            yield tuple(row[place] for place in places), digest


def changes_digest(changes: Iterable[Change]) -> str:
    """SHA-256 (hex) of the rows' digests, before and after, in their order."""
    lines = "".join(f"{before}>{after}\n" for _, _, before, after in changes)
    return hashlib.sha256(lines.encode()).hexdigest()


def _hash(*head: Any) -> str:
    return digest_of(head)


def _pack(changes: Sequence[Change]) -> bytes:
    return zlib.compress(_encode(changes).encode(), 1)


def _unpack(rows: bytes) -> list[Change]:
    return [(table, tuple(key), before, after) for table, key, before, after in json.loads(zlib.decompress(rows))]
