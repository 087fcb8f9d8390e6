"""Taking items out of the database, with every row that was made of them."""

import json
from collections.abc import Sequence

from sqlite_utils import Database

from mollia_cli.store.items import chunks
from mollia_cli.store.journal import FORGET, KEYS, Journal, Key

_OF_ITEMS = ("observations", "verdicts", "selections", "opinions", "decisions")


def forget(db: Database, ids: Sequence[str]) -> dict[str, int]:
    """Delete items and all that was made of them; how many rows of each table.

    The journal keeps the rows' digests, without their keys, in an entry that says that they were forgotten.
    The caller holds a transaction and has turned secure_delete on.
    """
    journal = Journal(db)
    gone = rows_of(db, ids)
    with journal.entry(FORGET, gone):
        for table, keys in gone.items():
            names = KEYS[table]
            condition = " AND ".join(f"{name} = ?" for name in names)
            db.conn.executemany(f"DELETE FROM {table} WHERE {condition}", keys)
    journal.blank((table, key) for table, keys in gone.items() for key in keys)
    return {table: len(keys) for table, keys in gone.items() if keys}


def rows_of(db: Database, ids: Sequence[str]) -> dict[str, list[Key]]:
    """The keys of every row that goes with these items, by table, in an order in which they can be deleted."""
    gone = {table: _where(db, table, "item", ids) for table in _OF_ITEMS}
    return gone | {"synthetic": _written(db, ids), "items": [(item_id,) for item_id in ids]}


def _where(db: Database, table: str, column: str, values: Sequence[str]) -> list[Key]:
    found: list[Key] = []
    for chunk in chunks(values):
        marks = ",".join("?" * len(chunk))
        query = f"SELECT {', '.join(KEYS[table])} FROM {table} WHERE {column} IN ({marks})"
        found += db.execute(query, chunk).fetchall()
    return found


def _written(db: Database, ids: Sequence[str]) -> list[Key]:
    """Synthetic texts of a prompt that showed one of the items."""
    rows = db.execute("SELECT id, recipe FROM synthetic")
    return [(text_id,) for text_id, recipe in rows if set(ids).intersection(json.loads(recipe)["shown"])]
