"""A project's stored data behind one door."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Self

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.questions import ANSWERS, Question
from mollia_cli.domain.settings import SETTINGS_FILE
from mollia_cli.store.database import DATABASE_FILE, Say, create_database, open_database
from mollia_cli.store.decisions import DecisionStore
from mollia_cli.store.errors import LockedError
from mollia_cli.store.forget import forget, rows_of
from mollia_cli.store.imports import ImportStore
from mollia_cli.store.items import ItemStore
from mollia_cli.store.journal import Journal
from mollia_cli.store.label_column import LabelColumn
from mollia_cli.store.label_sets import LabelSets
from mollia_cli.store.merge import Merged, merge
from mollia_cli.store.observations import ObservationStore
from mollia_cli.store.runs import RunStore
from mollia_cli.store.scratch import copy_without_runs
from mollia_cli.store.synthetic import SyntheticStore
from mollia_cli.store.trace import Trace, trace
from mollia_cli.store.verdicts import VerdictStore
from mollia_cli.store.verify import Verification, verify

_IMPORT_CACHE = 64 << 10  # KiB, taken as they are needed


class Store:
    """The open database of a project, one attribute for each group of tables; see ``open_database`` for ``say``.

    Whatever SQLite cannot do is a MolliaError; see store/errors.py. Labels that are not those of what is stored are an
    InputError, unless ``changing`` them is what the store is opened for: then the stored ones hold. several: an item
    may have several of the labels.
    """

    def __init__(
        self,
        root: Path,
        labels: LabelSet,
        create: bool = False,
        say: Say = lambda remark: None,
        changing: bool = False,
        several: bool = False,
    ) -> None:
        self.path = root / DATABASE_FILE
        if not create and not self.path.is_file():
            raise NotFoundError(f"{self.path} is missing", "restore it, or make a new project with `mollia init`")
        self._db = create_database(self.path) if create else open_database(self.path, say)
        self.journal = Journal(self._db)
        self.label_sets = LabelSets(self._db, several)
        if changing:
            labels = self.label_sets.current() or labels
        else:
            self.label_sets.check(labels, str(root / SETTINGS_FILE))
        column = LabelColumn(labels, several)
        self.items = ItemStore(self._db, column)
        self.imports = ImportStore(self._db, column)
        self.observations = ObservationStore(self._db)
        self.verdicts = VerdictStore(self._db, labels)
        self.runs = RunStore(self._db, labels)
        self.synthetic = SyntheticStore(self._db, labels)
        self.decisions = DecisionStore(self._db, labels)
        self._labels = labels
        if not self._db.read_only:
            self.label_sets.record(labels)

    def asking(self, question: Question) -> Self:
        """The same database as one label's yes/no question sees it, whose label set are the answers."""
        seen = copy(self)
        seen.items = ItemStore(self._db, LabelColumn(self._labels, several=True, asked=question))
        seen.observations = ObservationStore(self._db, question.label)
        seen.verdicts = VerdictStore(self._db, ANSWERS, question.label)
        seen.decisions = DecisionStore(self._db, ANSWERS)
        if not self._db.read_only:
            self.label_sets.record(ANSWERS, current=False)
        return seen

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is stored together or not at all."""
        with self._db.atomic():
            yield

    @contextmanager
    def import_transaction(self) -> Iterator[None]:
        """A transaction that may add a million rows: its indexes stay in memory instead of being written many times."""
        before = self._db.execute("PRAGMA cache_size").fetchone()[0]
        self._db.execute(f"PRAGMA cache_size = -{_IMPORT_CACHE}")
        try:
            with self.transaction():
                yield
        finally:
            self._db.execute(f"PRAGMA cache_size = {before}")

    def damage(self) -> list[str]:
        """What SQLite finds wrong with the file and with references between its rows; reads all of it."""
        found = [str(line) for (line,) in self._db.execute("PRAGMA integrity_check(5)") if line != "ok"]
        broken = self._db.execute('SELECT "table", count(*) FROM pragma_foreign_key_check GROUP BY 1').fetchall()
        return found + [f"{table}: rows with a reference to one that is missing: {count}" for table, count in broken]

    def verify(self, head: str = "") -> Verification:
        """Compare the tables with the journal; ``head``: a hash that was noted, and that the journal must hold."""
        return verify(self._db, head)

    def merge(self, files: Sequence[Path], dry_run: bool = False) -> list[Merged]:
        """Bring home what copies of the project have observed; see store/merge.py."""
        return merge(self._db, files, dry_run)

    def trace(self, item_id: str) -> Trace:
        """Everything that is known of an item, as plain rows; see store/trace.py."""
        return trace(self._db, item_id)

    def copy_without_runs(self, path: Path, without_observations: bool = False) -> None:
        """A copy of the database, to repeat a run in; see store/scratch.py."""
        copy_without_runs(self._db, path, without_observations)

    def rows_of(self, ids: Sequence[str]) -> dict[str, int]:
        """How many rows of each table `forget` would delete with these items."""
        return {table: len(keys) for table, keys in rows_of(self._db, ids).items() if keys}

    def forget(self, ids: Sequence[str]) -> bool:
        """Delete items and all that was made of them, and overwrite where they were.

        False if another process has the file open, which keeps a log with the old rows until it ends.
        """
        self._db.execute("PRAGMA secure_delete = ON")
        with self.transaction():
            forget(self._db, ids)
        return self._compact()

    def _compact(self) -> bool:
        """Write the file anew, without what was deleted, and empty its log."""
        try:
            self._db.execute("VACUUM")
            [(busy, _, _)] = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except LockedError:
            return False
        return not busy

    def close(self) -> None:
        """Close the file."""
        self._db.close()
