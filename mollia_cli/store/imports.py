"""Imports, and what they and ``mollia move`` changed of items that were there."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.items import Item
from mollia_cli.store.forget import remove, rows_of
from mollia_cli.store.journal import Journal
from mollia_cli.store.label_column import LabelColumn
from mollia_cli.store.writing import now

UNDO = "undo import"
_ADDED = "SELECT id FROM items WHERE import_id = ?"
# Of what an import changed: the items that nobody has changed again since.
_LAST = """
    SELECT c.item, c.split, c.label FROM item_changes c
    WHERE c.import_id = ? AND c.id = (SELECT max(id) FROM item_changes WHERE item = c.item)
    AND NOT EXISTS (SELECT 1 FROM standing_decisions d WHERE d.item = c.item AND d.seed)
"""
_PUT_BACK = f"{_LAST} AND c.item NOT IN ({_ADDED})"  # what it added is removed instead


@dataclass(frozen=True, slots=True)
class Import:
    """One import. added: items that it added and that are still there; changed: those that it gave a label or moved."""

    number: int
    name: str
    split: str
    added: int
    changed: int
    imported_at: str
    undone_at: str | None


class ImportStore:
    """Writing down imports, changing items, and taking both back; ``column``: how labels are stored."""

    def __init__(self, db: Database, column: LabelColumn) -> None:
        self._db = db
        self._column = column
        self._journal = Journal(db)

    def open(self, name: str, split: str) -> int:
        """The number of a new import of the file ``name``."""
        number: int = self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM imports").fetchone()[0]
        with self._journal.entry("import", {"imports": [(number,)]}):
            self._db.execute(
                "INSERT INTO imports (id, name, split, imported_at) VALUES (?, ?, ?, ?)", [number, name, split, now()]
            )
        return number

    def all(self) -> list[Import]:
        """Every import, in their order."""
        rows = self._db.execute(
            "SELECT id, name, split, (SELECT count(*) FROM items WHERE import_id = imports.id),"
            " (SELECT count(DISTINCT item) FROM item_changes WHERE import_id = imports.id), imported_at, undone_at"
            " FROM imports ORDER BY id"
        )
        return [Import(*row) for row in rows]

    def get(self, number: int) -> Import:
        """One import. Raises NotFoundError."""
        for one in self.all():
            if one.number == number:
                return one
        raise NotFoundError(f"no import has the number {number}", "mollia imports list")

    def added(self, number: int) -> list[str]:
        """The items that an import added and that are still there."""
        return [row[0] for row in self._db.execute(f"{_ADDED} ORDER BY position", [number])]

    def changed(self, number: int) -> list[str]:
        """The items that taking an import back would change, and not remove."""
        return [row[0] for row in self._db.execute(_PUT_BACK, [number, number])]

    def change(self, items: Sequence[Item], verb: str, import_id: int | None = None) -> None:
        """Give items that are stored the split and the label that they have here, and keep what they had.

        One that comes into another split stands behind all others there.
        """
        place, number = (
            self._db.execute(f"SELECT coalesce(max({column}), 0) + 1 FROM {table}").fetchone()[0]
            for column, table in (("position", "items"), ("id", "item_changes"))
        )
        keys = [(number + step,) for step in range(len(items))]
        with self._journal.entry(verb, {"items": [(item.id,) for item in items], "item_changes": keys}):
            self._db.conn.executemany(
                "INSERT INTO item_changes (id, item, import_id, split, label, changed_at)"
                " SELECT ?, id, ?, split, label, ? FROM items WHERE id = ?",
                [(*key, import_id, now(), item.id) for key, item in zip(keys, items, strict=True)],
            )
            self._db.conn.executemany(
                "UPDATE items SET position = CASE split WHEN :split THEN position ELSE :place END,"
                " split = :split, label = :label WHERE id = :id",
                [
                    {"place": place + step, "split": item.split, "label": self._column.written(item), "id": item.id}
                    for step, item in enumerate(items)
                ],
            )

    def lost(self, number: int) -> dict[str, int]:
        """How many rows of each table hang on the items that taking an import back would remove."""
        gone = {table: keys for table, keys in rows_of(self._db, self.added(number)).items() if table != "items"}
        own = {row[0] for row in self._db.execute("SELECT id FROM item_changes WHERE import_id = ?", [number])}
        gone["item_changes"] = [key for key in gone["item_changes"] if key[0] not in own]
        return {table: len(keys) for table, keys in gone.items() if keys}

    def undo(self, number: int) -> None:
        """Remove what an import added, with all that was made of it, and put back what it changed."""
        back = self._db.execute(_PUT_BACK, [number, number]).fetchall()
        with self._db.atomic():
            remove(self._db, rows_of(self._db, self.added(number)), UNDO)
            keys = self._db.execute("SELECT id FROM item_changes WHERE import_id = ?", [number]).fetchall()
            touched = {"items": [(row[0],) for row in back], "item_changes": keys, "imports": [(number,)]}
            with self._journal.entry(UNDO, touched):
                self._db.conn.executemany(
                    "UPDATE items SET split = ?, label = ? WHERE id = ?",
                    [(split, label, i) for i, split, label in back],
                )
                self._db.execute("DELETE FROM item_changes WHERE import_id = ?", [number])
                self._db.execute("UPDATE imports SET undone_at = ? WHERE id = ?", [now(), number])

    def changed_since(self, at: str) -> int:
        """How many items were given a label or moved after a time."""
        query = "SELECT count(DISTINCT item) FROM item_changes WHERE changed_at > ?"
        return int(self._db.execute(query, [at]).fetchone()[0])
