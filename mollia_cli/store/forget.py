"""Taking items out of the database, with every row that was made of them."""

import json
from collections.abc import Mapping, Sequence

from sqlite_utils import Database

from mollia_cli.store.items import chunks
from mollia_cli.store.journal import FORGET, KEYS, Journal, Key

_OF_ITEMS = ("observations", "verdicts", "selections", "opinions", "decisions", "item_changes")


def forget(db: Database, ids: Sequence[str]) -> dict[str, int]:
    """Delete items and all that was made of them; how many rows of each table.

    The journal keeps the rows' digests, without their keys, in an entry that says that they were forgotten.
    The caller holds a transaction and has turned secure_delete on.
    """
    gone = rows_of(db, ids)
    remove(db, gone, FORGET)
    Journal(db).blank((table, key) for table, keys in gone.items() for key in keys)
    return {table: len(keys) for table, keys in gone.items() if keys}


def remove(db: Database, gone: Mapping[str, Sequence[Key]], verb: str) -> None:
    """Delete the rows with these keys, by table, as one entry of the journal."""
    with Journal(db).entry(verb, gone):
        for table, keys in gone.items():
            condition = " AND ".join(f"{name} = ?" for name in KEYS[table])
            db.conn.executemany(f"DELETE FROM {table} WHERE {condition}", keys)


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
