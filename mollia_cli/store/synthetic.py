"""Synthetic texts in the database: a table of their own, so that no split can hold one."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlite_utils import Database

from mollia_cli.domain.digest import digest_text
from mollia_cli.domain.items import Synthetic
from mollia_cli.domain.labels import LabelSet
from mollia_cli.store.journal import Journal
from mollia_cli.store.writing import now


class SyntheticStore:
    """Reading and adding synthetic texts; labels are stored by name."""

    def __init__(self, db: Database, labels: LabelSet) -> None:
        self._db = db
        self._labels = labels
        self._journal = Journal(db)

    def add(self, texts: Iterable[Synthetic], recipe: Mapping[str, Any]) -> None:
        """Store texts in one transaction, each with what it was made from; a text that is there already stays."""
        rows = [
            (t.id, t.text, digest_text(t.text), self._labels.names[t.label], t.writer, json.dumps(recipe), now())
            for t in texts
        ]
        with self._journal.entry("generate", {"synthetic": [row[:1] for row in rows]}):
            self._db.conn.executemany(
                "INSERT OR IGNORE INTO synthetic (id, text, text_digest, label, writer, recipe, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def all(self) -> list[Synthetic]:
        """Every synthetic text, in the order of their making."""
        query = "SELECT id, text, label, writer FROM synthetic ORDER BY position"
        return [
            Synthetic(i, text, self._labels.index(label), writer) for i, text, label, writer in self._db.execute(query)
        ]

    def counts(self) -> dict[str, int]:
        """How many there are of each label that has any."""
        return dict(self._db.execute("SELECT label, count(*) FROM synthetic GROUP BY label ORDER BY label").fetchall())
