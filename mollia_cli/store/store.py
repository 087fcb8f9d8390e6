"""A project's stored data behind one door."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.store.database import DATABASE_FILE, Say, create_database, database_error, open_database
from mollia_cli.store.decisions import DecisionStore
from mollia_cli.store.items import ItemStore
from mollia_cli.store.observations import ObservationStore
from mollia_cli.store.runs import RunStore
from mollia_cli.store.synthetic import SyntheticStore
from mollia_cli.store.variants import VariantStore
from mollia_cli.store.verdicts import VerdictStore


class Store:
    """The open database of a project, one attribute for each group of tables; see ``open_database`` for ``say``."""

    def __init__(self, root: Path, labels: LabelSet, create: bool = False, say: Say = lambda remark: None) -> None:
        self.path = root / DATABASE_FILE
        if not create and not self.path.is_file():
            raise NotFoundError(f"{self.path} is missing", "restore it, or make a new project with `mollia init`")
        self._db = create_database(self.path) if create else open_database(self.path, say)
        self.items = ItemStore(self._db, labels)
        self.observations = ObservationStore(self._db)
        self.verdicts = VerdictStore(self._db, labels)
        self.runs = RunStore(self._db, labels)
        self.synthetic = SyntheticStore(self._db, labels)
        self.variants = VariantStore(self._db)
        self.decisions = DecisionStore(self._db, labels)
        if not self._db.read_only:
            with self.guarded():
                _record_labels(self._db, labels)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is stored together or not at all."""
        with self._db.atomic():
            yield

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turns SQLite's errors into messages."""
        try:
            yield
        except sqlite3.Error as error:
            self.explain(error)

    def explain(self, error: BaseException | None) -> None:
        """Raise what a user can act on in place of an error of SQLite's; any other is left alone."""
        if isinstance(error, sqlite3.Error):
            raise database_error(self.path, error) from error

    def damage(self) -> list[str]:
        """What SQLite finds wrong with the file and with references between its rows; reads all of it."""
        with self.guarded():
            found = [str(line) for (line,) in self._db.execute("PRAGMA integrity_check(5)") if line != "ok"]
            broken = self._db.execute('SELECT "table", count(*) FROM pragma_foreign_key_check GROUP BY 1').fetchall()
        return found + [f"{count} rows of {table} refer to rows that are missing" for table, count in broken]

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _record_labels(db: Database, labels: LabelSet) -> None:
    """Arrays in the database follow the label set's order: it is written down for whoever reads them by SQL."""
    if db.execute("SELECT 1 FROM label_sets WHERE digest = ?", [labels.digest]).fetchone():
        return
    rows = enumerate(zip(labels.names, labels.descriptions, strict=True))
    with db.atomic():
        db.conn.executemany(
            "INSERT INTO label_sets (digest, position, name, description) VALUES (?, ?, ?, ?)",
            [(labels.digest, position, name, description) for position, (name, description) in rows],
        )
