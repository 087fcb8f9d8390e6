"""Items in the database."""

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlite_utils import Database

from mollia_cli.domain.digest import digest_text
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.items import Gold, Item
from mollia_cli.domain.observations import IntArray
from mollia_cli.domain.similarity import fold
from mollia_cli.store.journal import Journal
from mollia_cli.store.label_column import LabelColumn
from mollia_cli.store.writing import now

_CHUNK = 500
_LABELLED = {None: "", True: " AND label IS NOT NULL", False: " AND label IS NULL"}
# Items that people have set aside are in the project, but in no split's list.
_IN_USE = "id NOT IN (SELECT item FROM standing_decisions WHERE act = 'ignore')"
# The pool, and what people have decided on, wherever it stands now.
_IMPORTED = "(split = 'pool' OR id IN (SELECT item FROM decisions WHERE undone_at IS NULL))"

# A field's value as text, and the kinds of columns by the types that SQLite finds in them.
_FIELD = "CASE f.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(f.value AS TEXT) END"
_KINDS = {
    **{"text": "text", "integer": "integer", "real": "real", "integer,real": "real"},
    **{"true": "boolean", "false": "boolean", "false,true": "boolean"},
}


@dataclass(frozen=True, slots=True)
class Clash:
    """A stored item that stands in a new one's way: the same id, or the same text; ``gold`` as ``Item.gold``."""

    id: str
    same_text: bool
    split: str
    gold: Gold | None


class ItemStore:
    """Reading and adding items; ``column``: how their labels are stored."""

    def __init__(self, db: Database, column: LabelColumn) -> None:
        self._db = db
        self._column = column
        self._journal = Journal(db)

    def clash(self, item_id: str, text: str) -> Clash | None:
        """The stored item with this text, else with this id, if there is one."""
        digest = digest_text(text)
        rows = self._db.execute(
            "SELECT id, text_digest, split, label FROM items WHERE id = ? OR text_digest = ?", [item_id, digest]
        ).fetchall()
        found = []
        for own, of, split, stored in rows:
            label, labels = self._column.read(stored)
            found.append(Clash(own, of == digest, split, label if labels is None else labels))
        return max(found, key=lambda clash: clash.same_text, default=None)

    def has_text(self, text: str) -> bool:
        """Whether an item has just this text."""
        rows = self._db.execute("SELECT 1 FROM items WHERE text_digest = ?", [digest_text(text)])
        return rows.fetchone() is not None

    def add(self, items: Iterable[Item], source: str, import_id: int | None = None) -> int:
        """Insert items (their ids and texts must be new); the caller holds the transaction."""
        stamp = now()
        rows = [
            (
                i.id,
                i.text,
                digest_text(i.text),
                fold(i.text),
                i.split,
                self._column.written(i),
                _written(i.fields),
            )
            for i in items
        ]
        with self._journal.entry("import", {"items": [(row[0],) for row in rows]}):
            self._db.conn.executemany(
                "INSERT INTO items"
                " (id, text, text_digest, folded, split, label, fields, source, imported_at, import_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((*row, source, stamp, import_id) for row in rows),
            )
        return len(rows)

    def near_duplicates(self, across: bool = False) -> list[list[Item]]:
        """Groups of items whose texts are the same but for markup, punctuation, case and white space.

        across: only groups that stand in several splits. Groups and their items in the order of import.
        """
        of = "DISTINCT split" if across else "*"
        # who was set aside is left out afterwards: the index alone finds the groups, among a million texts in a second
        alike = f"SELECT folded FROM items GROUP BY folded HAVING count({of}) > 1"
        where = f"folded IN ({alike}) AND {_IN_USE} ORDER BY position"
        rows = self._db.execute(f"SELECT folded, id, text, split, label FROM items WHERE {where}")
        groups: dict[str, list[Item]] = {}
        for folded, item_id, text, split, label in rows:
            groups.setdefault(folded, []).append(Item(item_id, text, split, *self._column.read(label)))
        return [group for group in groups.values() if len({i.split for i in group} if across else group) > 1]

    def ids(self, split: str, labelled: bool | None = None, limit: int = 0) -> list[str]:
        """Ids of a split in the order of import; ``labelled`` keeps those with or without a known label.

        ``limit``: the first so many; 0 for all.
        """
        query = f"SELECT id FROM items WHERE split = ?{_LABELLED[labelled]} AND {_IN_USE} ORDER BY position LIMIT ?"
        return [row[0] for row in self._db.execute(query, [split, limit or -1])]

    def check(self, ids: Sequence[str]) -> None:
        """NotFoundError for the first id that no item has."""
        for chunk in chunks(ids):
            marks = ",".join("?" * len(chunk))
            known = {row[0] for row in self._db.execute(f"SELECT id FROM items WHERE id IN ({marks})", chunk)}
            _found_all(chunk, known)

    def pool_size(self) -> int:
        """How many items the pool was imported with: those that people took out of it count."""
        size: int = self._db.execute(f"SELECT count(*) FROM items WHERE {_IMPORTED}").fetchone()[0]
        return size

    def pool_at(self, places: Sequence[int]) -> list[str]:
        """The ids at some places of the pool as it was imported, sorted by id, in the order of ``places``."""
        wanted = dict.fromkeys(places, "")
        for place, (item_id,) in enumerate(self._db.execute(f"SELECT id FROM items WHERE {_IMPORTED} ORDER BY id")):
            if place in wanted:
                wanted[place] = item_id
        return [wanted[place] for place in places]

    def known_labels(self, ids: Sequence[str]) -> dict[str, int]:
        """The known labels of those of ``ids`` that have one."""
        found: dict[str, int] = {}
        for chunk in chunks(ids):
            marks = ",".join("?" * len(chunk))
            query = f"SELECT id, label FROM items WHERE label IS NOT NULL AND id IN ({marks})"
            known = ((item_id, self._column.read(stored)[0]) for item_id, stored in self._db.execute(query, chunk))
            found |= {item_id: label for item_id, label in known if label is not None}
        return found

    def profile(self, split: str) -> tuple[IntArray, dict[str, int]]:
        """[n] the lengths of a split's texts in characters, and how many items have each known label."""
        where = f"split = ? AND {_IN_USE}"
        rows = self._db.execute(f"SELECT length(text) FROM items WHERE {where}", [split])
        lengths = np.fromiter((row[0] for row in rows), dtype=np.int64)
        known = self._db.execute(
            f"SELECT label, count(*) FROM items WHERE {where} AND label IS NOT NULL GROUP BY label", [split]
        )
        return lengths, dict(known.fetchall())

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order asked for; an id that does not exist raises NotFoundError."""
        found: dict[str, Item] = {}
        for chunk in chunks(ids):
            marks = ",".join("?" * len(chunk))
            for item in self._read(f"SELECT id, text, split, label, fields FROM items WHERE id IN ({marks})", chunk):
                found[item.id] = item
        _found_all(ids, found)
        return [found[item_id] for item_id in ids]

    def in_split(self, split: str, labelled: bool | None = None) -> list[Item]:
        """Items of a split in the order of import; ``labelled`` keeps those with or without a known label."""
        condition = f"split = ?{_LABELLED[labelled]} AND {_IN_USE}"
        query = f"SELECT id, text, split, label, fields FROM items WHERE {condition} ORDER BY position"
        return list(self._read(query, [split]))

    def counts(self) -> dict[str, dict[str, int]]:
        """For each split: how many items, and how many of them have a known label."""
        query = f"SELECT split, count(*), count(label) FROM items WHERE {_IN_USE} GROUP BY split"
        return {split: {"items": n, "labelled": known} for split, n, known in self._db.execute(query)}

    def sources(self, split: str) -> list[tuple[str, int, str]]:
        """(name, items, when first imported) of everything that a split came from, in that order."""
        query = "SELECT source, count(*), min(imported_at) FROM items WHERE split = ? GROUP BY source"
        return self._db.execute(f"{query} ORDER BY min(position)", [split]).fetchall()

    def source(self, item_id: str) -> tuple[str, str]:
        """(name of what an item was imported from, when)."""
        query = "SELECT source, imported_at FROM items WHERE id = ?"
        name, at = self._db.execute(query, [item_id]).fetchone()
        return name, at

    def imported_since(self, at: str) -> int:
        """How many items were imported after a time."""
        return int(self._db.execute("SELECT count(*) FROM items WHERE imported_at > ?", [at]).fetchone()[0])

    def fields(self) -> dict[str, str]:
        """The columns that items have beside the text, and what each holds.

        integer, real, boolean or text; where it is several of them, or a list or object, json.
        """
        query = (
            "SELECT f.key, group_concat(DISTINCT f.type) FROM items i, json_each(i.fields) f"
            " GROUP BY f.key ORDER BY min(i.position), min(f.id)"
        )
        return {name: _KINDS.get(",".join(sorted(types.split(","))), "json") for name, types in self._db.execute(query)}

    def where(self, name: str, value: str) -> set[str]:
        """The ids of the items whose column ``name`` holds ``value`` (as JSON writes it; "" for none)."""
        query = (
            f"SELECT i.id FROM items i LEFT JOIN json_each(i.fields) f ON f.key = ? WHERE coalesce({_FIELD}, '') = ?"
        )
        return {row[0] for row in self._db.execute(query, [name, value])}

    def values(self, name: str, limit: int) -> list[str]:
        """The values of a column that most items have, at most so many of them."""
        query = (
            f"SELECT {_FIELD} FROM items i, json_each(i.fields) f WHERE f.key = ? GROUP BY 1 ORDER BY count(*) DESC, 1"
        )
        return [row[0] for row in self._db.execute(f"{query} LIMIT ?", [name, limit])]

    def find(self, words: str) -> list[str]:
        """Ids of the pool items, and of those that people have decided on, whose text holds ``words`` in any case."""
        self._db.conn.create_function("casefold", 1, str.casefold, deterministic=True)
        query = (
            "SELECT id FROM items WHERE instr(casefold(text), ?)"
            " AND (split = 'pool' OR id IN (SELECT item FROM standing_decisions)) ORDER BY position"
        )
        return [row[0] for row in self._db.execute(query, [words.casefold()])]

    def _read(self, query: str, parameters: Sequence[str]) -> Iterator[Item]:
        for item_id, text, split, label, fields in self._db.execute(query, list(parameters)):
            yield Item(item_id, text, split, *self._column.read(label), json.loads(fields))


def _written(fields: Mapping[str, Any]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False) if fields else "{}"


def _found_all(ids: Sequence[str], found: Container[str]) -> None:
    for item_id in ids:
        if item_id not in found:
            raise NotFoundError(
                f"no item has the id {item_id!r}", "`mollia select` prints the ids of the pool; ids are case-sensitive"
            )


def chunks(values: Sequence[str], size: int = _CHUNK) -> Iterator[list[str]]:
    """Slices, by default short enough for one SQL statement's parameters."""
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
