"""The database schema, as an append-only list of named migrations.

What is released never changes: from the 0.1.0 tag on, a change is a function below the last one. It says what its
columns mean where ``schema.py`` finds it, or the test of docs/database.md fails.
"""

from sqlite_utils import Database, Migrations

from mollia_cli.store.schema import statements

migrations = Migrations("mollia")


@migrations()
def m001_schema(db: Database) -> None:
    """Everything in ``schema.sql``."""
    for statement in statements():
        db.execute(statement)
