"""Variants of items in the database: tables of their own, so that no split, count or export can hold one."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from mollia_cli.domain.items import Variant
from mollia_cli.store.items import chunks
from mollia_cli.store.journal import Journal
from mollia_cli.store.observations import ObservationStore
from mollia_cli.store.writing import now


class VariantStore:
    """Reading and adding variants; ``observations`` are what annotators said of them, by variant id."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._journal = Journal(db)
        self.observations = ObservationStore(db, "variant_observations")

    def add(self, variants: Iterable[Variant], recipe: Mapping[str, Any]) -> None:
        """Store variants in one transaction, each with what it was made from; what is there already stays."""
        rows = [(v.id, v.item_id, v.kind, v.number, v.text, int(v.usable), json.dumps(recipe), now()) for v in variants]
        with self._journal.entry("vary", {"variants": [row[:1] for row in rows]}):
            self._db.conn.executemany(
                "INSERT OR IGNORE INTO variants (id, item, kind, number, text, usable, recipe, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def get(self, kind: str, ids: Sequence[str]) -> dict[str, list[Variant]]:
        """The variants of some items by item id, in the order of ``ids``; an item without any has no entry."""
        found: dict[str, list[Variant]] = {}
        for variant in self._read(kind, ids):
            found.setdefault(variant.item_id, []).append(variant)
        return {item_id: found[item_id] for item_id in ids if item_id in found}

    def _read(self, kind: str, ids: Sequence[str]) -> Iterator[Variant]:
        for chunk in chunks(ids):
            marks = ",".join("?" * len(chunk))
            query = (
                "SELECT id, item, kind, number, text, usable FROM variants"
                f" WHERE kind = ? AND item IN ({marks}) ORDER BY item, number"
            )
            for row in self._db.execute(query, [kind, *chunk]):
                yield Variant(row[0], row[1], row[2], row[3], row[4], bool(row[5]))
