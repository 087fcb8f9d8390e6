"""A copy of a project's database in which its runs have not happened yet."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from mollia_cli.store.errors import explained

# Children first; what annotators and people said, and texts that were made, stay.
_OF_RUNS = ("opinions", "selections", "rounds", "runs", "verdicts", "fits")
_OBSERVED = ("observations",)


def copy_without_runs(db: Database, path: Path, without_observations: bool = False) -> None:
    """Copy the database to the new file ``path``, without runs, verdicts and, if asked, observations."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with explained(path), closing(sqlite3.connect(path)) as copy:
        db.conn.backup(copy)
        with copy:
            copy.execute("UPDATE decisions SET fit = NULL")
            for table in (*_OF_RUNS, *(_OBSERVED if without_observations else ())):
                copy.execute(f"DELETE FROM {table}")
