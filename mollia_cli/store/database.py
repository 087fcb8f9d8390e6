"""Opening and creating the project's database file."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from mollia_cli import __version__
from mollia_cli.domain.errors import MolliaError, RefusedError
from mollia_cli.store.migrations import migrations
from mollia_cli.store.writing import BUSY_SECONDS, Connection

DATABASE_FILE = "mollia.db"
_WAIT_SECONDS = 10.0  # that SQLite waits by itself, when Ctrl-C cannot be heard
_ROOM = 1 << 20  # bytes free on a disk with less than which it is as good as full

Say = Callable[[str], None]


def _remove_unfinished(path: Path) -> None:
    """Remove the database that an ``init`` has left behind when it was killed; one with items raises RefusedError."""
    if not path.exists():
        return
    try:
        with closing(connect_to_read(path)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'items'").fetchone()[0]
            used = tables and connection.execute("SELECT 1 FROM items LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise database_error(path, error) from error
    if used:
        raise RefusedError(f"{path} holds items, and mollia.toml is missing", "restore mollia.toml, or move the file")
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def create_database(path: Path) -> Connection:
    """A new database file that only its owner may read (0600), in WAL mode, with the whole schema."""
    _remove_unfinished(path)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return open_database(path)


def open_database(path: Path, say: Say = lambda remark: None) -> Connection:
    """Open an existing database and bring its schema up to date; the old file is kept beside it, which ``say`` hears.

    One that may not be written is opened to be read. A file that is no database, or was written by a newer mollia
    or one from before the first release, raises RefusedError.
    """
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return _open_to_read(path)
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        keep_temporaries(connection, path.parent)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        db = Connection(connection)
        _refuse_unknown(db, path)
        if migrations.pending(db):
            _migrate(db, path, say)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise database_error(path, error) from error
    except BaseException:
        connection.close()
        raise
    return db


def keep_temporaries(connection: sqlite3.Connection, folder: Path) -> None:
    """Have SQLite write what does not fit into memory, texts among it, into the project and not into /var/tmp."""
    quoted = str(folder.absolute()).replace("'", "''")
    connection.execute(f"PRAGMA temp_store_directory = '{quoted}'")


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, also where the folder may not be written; raises sqlite3.Error."""
    name = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(name, uri=True, timeout=_WAIT_SECONDS)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        # WAL mode needs a file beside the database; without changes in one, everything is in the database itself
        log = path.with_name(f"{path.name}-wal")
        if os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
            raise
        connection = sqlite3.connect(f"{name}&immutable=1", uri=True)
    if os.access(path.parent, os.W_OK):
        keep_temporaries(connection, path.parent)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _open_to_read(path: Path) -> Connection:
    try:
        db = Connection(connect_to_read(path))
        db.read_only = True
        _refuse_unknown(db, path)
        pending = migrations.pending(db)
    except sqlite3.Error as error:
        raise database_error(path, error) from error
    if pending:
        raise RefusedError(
            f"{path} was written by an older mollia and cannot be brought up to date, because it cannot be written",
            "copy the project's folder to where you may write, and use the copy",
        )
    return db


def _migrate(db: Connection, path: Path, say: Say) -> None:
    """Apply what is pending, all or nothing, after a copy of what was there."""
    with db.atomic():
        applied = [done.name for done in migrations.applied(db)]
        if applied and migrations.pending(db):  # another process may have been quicker
            kept = path.with_name(f"{path.name}.before-{_number(migrations._migrations[len(applied)].name)}")
            _copy(path, kept)
            say(f"{path} was brought up to date for mollia {__version__}; as it was before, it is kept as {kept}")
        migrations.apply(db)


def _copy(path: Path, target: Path) -> None:
    """A copy of what is committed, for its owner alone; it appears whole or not at all."""
    unfinished = target.with_name(f"{target.name}.part")
    os.close(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def database_error(path: Path, error: sqlite3.Error) -> MolliaError:
    """What went wrong in SQLite, in words that a user can act on."""
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return RefusedError(
            f"{path} is damaged or no database ({text})",
            f"restore it from a backup; `mollia doctor -p {path.parent}` says what is damaged, and"
            f" `sqlite3 {path.name} .recover` saves what can be read",
        )
    if "full" in text or ("disk I/O" in text and shutil.disk_usage(path.parent).free < _ROOM):
        return MolliaError(
            f"the disk is full: {path} could not be written",
            "free some space and run the same command again; everything up to the last finished batch is kept",
        )
    if "disk I/O" in text:
        return MolliaError(
            f"{path} could not be read or written ({text})",
            "check that its disk is there and has free space, then run the same command again",
        )
    if "readonly" in text or "unable to open" in text:
        return MolliaError(f"{path} cannot be written ({text})", "check the permissions of the file and its folder")
    if "locked" in text:
        return MolliaError(
            f"{path} was locked by another process for over {BUSY_SECONDS / 60:.0f} minutes",
            "wait until the other mollia command has ended, then run this one again",
        )
    return MolliaError(f"{path}: {text}", "run the command again with --debug for details")


def _refuse_unknown(db: Database, path: Path) -> None:
    """Raises RefusedError where the tables are not those that some of the migrations have made."""
    known = [migration.name for migration in migrations._migrations]
    applied = [migration.name for migration in migrations.applied(db)]
    if applied and applied[0] != known[0]:
        raise RefusedError(
            f"{path} was written by a mollia from before its first release, whose tables were others",
            "make a new project with `mollia init` and import the texts again; the file is left as it is",
        )
    newer = [name for name in applied if name not in known]
    if newer:
        raise RefusedError(
            f"{path} was written by a newer mollia: its version is {_number(newer[-1])}, and mollia {__version__}"
            f" reads {_number(known[-1])} at most",
            "update mollia: pip install --upgrade mollia",
        )


def _number(migration: str) -> str:
    return migration.partition("_")[0]
