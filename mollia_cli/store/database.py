"""Opening and creating the project's database file."""

import os
import sqlite3
from pathlib import Path

from sqlite_utils import Database

from mollia_cli.domain.errors import MolliaError, RefusedError
from mollia_cli.store.migrations import migrations

DATABASE_FILE = "mollia.db"
BUSY_SECONDS = 60.0


def create_database(path: Path) -> Database:
    """A new database file that only its owner may read (0600), in WAL mode, with the whole schema."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return open_database(path)


def open_database(path: Path) -> Database:
    """Open an existing database and bring its schema up to date.

    A file that is no database or was written by a newer mollia raises RefusedError.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        keep_temporaries(connection, path.parent)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        db = Database(connection)
        _refuse_newer(db, path)
        if migrations.pending(db):
            migrations.apply(db)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise database_error(path, error) from error
    return db


def keep_temporaries(connection: sqlite3.Connection, folder: Path) -> None:
    """Have SQLite write what does not fit into memory, texts among it, into the project and not into /var/tmp."""
    quoted = str(folder.absolute()).replace("'", "''")
    connection.execute(f"PRAGMA temp_store_directory = '{quoted}'")


def database_error(path: Path, error: sqlite3.Error) -> MolliaError:
    """What went wrong in SQLite, in words that a user can act on."""
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return RefusedError(f"{path} is damaged or no database ({text})", "restore it from a backup")
    if "full" in text:
        return MolliaError(
            f"the disk is full: {path} could not be written",
            "free some space and run the same command again; everything up to the last finished batch is kept",
        )
    if "readonly" in text or "unable to open" in text:
        return MolliaError(f"{path} cannot be written ({text})", "check the permissions of the file and its folder")
    if "locked" in text:
        return MolliaError(
            f"{path} was locked by another process for over {BUSY_SECONDS:.0f} seconds",
            "wait until the other mollia command has ended, then run this one again",
        )
    return MolliaError(f"{path}: {text}", "run the command again with --debug for details")


def _refuse_newer(db: Database, path: Path) -> None:
    known = {migration.name for migration in migrations._migrations}
    newer = [applied.name for applied in migrations.applied(db) if applied.name not in known]
    if newer:
        raise RefusedError(
            f"{path} was written by a newer mollia (it has {newer[-1]})", "update mollia: pip install --upgrade mollia"
        )
