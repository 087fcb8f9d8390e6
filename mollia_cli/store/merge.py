"""Bringing home what another copy of the project has observed."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from mollia_cli.store.foreign import Foreign, ForeignAnnotator
from mollia_cli.store.journal import Journal
from mollia_cli.store.observations import INSERT, ObservationStore, row_of
from mollia_cli.store.writing import now

_AT_ONCE = 400  # rows that are in memory together, and in one entry of the journal
_SHOWN = 60  # characters of an id in a message
_NUMBERS = "item, log_probs, votes, mass, invalid, slack, tokens, truncated"
_PLACES = (1, 2, 3, 4, 5, 6, 8, 9)  # of these in ``row_of``


@dataclass(frozen=True, slots=True)
class MergedAnnotator:
    """What a file holds of one annotator: observations that are new here, that were here, and here with other numbers.

    ``first_different``: the item of the first of those; "" where there is none.
    """

    name: str
    key: str
    identity: Mapping[str, Any]
    new: int
    there: int
    different: int
    first_different: str


@dataclass(frozen=True, slots=True)
class Merged:
    """One file, with its SHA-256, and its annotators."""

    file: str
    digest: str
    annotators: tuple[MergedAnnotator, ...]


def merge(db: Database, files: Sequence[Path], dry_run: bool = False) -> list[Merged]:
    """Add the observations of other copies' databases that are not here, under their own identities: all or nothing.

    What is here stays as it is, whatever a file has instead. dry_run: only look. Raises NotFoundError for a file that
    is not there, RefusedError for one that is not a copy of this project as mollia writes it.
    """
    with nullcontext() if dry_run else db.atomic():
        return [_merge_file(db, path, dry_run) for path in files]


def _merge_file(db: Database, path: Path, dry_run: bool) -> Merged:
    with Foreign(path, db) as other:
        _check_labels(db, other)
        _check_texts(db, other)
        found = tuple(_merge_annotator(db, other, annotator, dry_run) for annotator in other.annotators())
    new, there, different = (sum(getattr(one, name) for one in found) for name in ("new", "there", "different"))
    if new and not dry_run:
        number = db.execute("SELECT coalesce(max(id), 0) + 1 FROM merges").fetchone()[0]
        with Journal(db).entry("merge", {"merges": [(number,)]}):
            db.execute(
                "INSERT INTO merges (id, name, digest, new, there, different, merged_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [number, str(path), other.digest, new, there, different, now()],
            )
    return Merged(str(path), other.digest, found)


def _merge_annotator(db: Database, other: Foreign, annotator: ForeignAnnotator, dry_run: bool) -> MergedAnnotator:
    new = there = different = 0
    first = ""
    rows = other.observations(annotator, _classes(db, annotator))
    while some := list(islice(rows, _AT_ONCE)):
        made = [row_of(annotator.key, row.observation, row.seconds, row.memory) for row in some]
        ids = [row[1] for row in made]
        _check_known(db, other, ids)
        stored = _stored(db, annotator.key, ids)
        fresh = [row for row in made if row[1] not in stored]
        numbers = {row[1]: tuple(row[place] for place in _PLACES) for row in made}
        changed = [item_id for item_id, found in stored.items() if found != numbers[item_id]]
        if fresh and not dry_run:
            ObservationStore(db).register(annotator.name, annotator.identity)
            with Journal(db).entry("merge", {"observations": [row[:2] for row in fresh]}):
                db.conn.executemany(INSERT, fresh)
        new, different = new + len(fresh), different + len(changed)
        there += len(made) - len(fresh) - len(changed)
        first = first or min(changed, default="")
    return MergedAnnotator(annotator.name, annotator.key, annotator.identity, new, there, different, first)


def _check_labels(db: Database, other: Foreign) -> None:
    query = "SELECT name, description FROM label_sets WHERE is_current ORDER BY position"
    if not other.has_labels(db.execute(query).fetchall()):
        raise other.refused(
            "is of other labels than this project", "merge a copy whose [labels] in mollia.toml are those of here"
        )


def _check_texts(db: Database, other: Foreign) -> None:
    """That the ids which both have are of the same texts."""
    texts = other.texts()
    while some := dict(islice(texts, _AT_ONCE)):
        marks = ",".join("?" * len(some))
        for item_id, digest in db.execute(f"SELECT id, text_digest FROM items WHERE id IN ({marks})", list(some)):
            if some[item_id] != digest:
                raise other.refused(
                    f"is of another project: its item {item_id[:_SHOWN]!r} has another text than here",
                    "merge a copy of this project",
                )


def _check_known(db: Database, other: Foreign, ids: list[str]) -> None:
    """That the items which were observed are here."""
    marks = ",".join("?" * len(ids))
    known = {row[0] for row in db.execute(f"SELECT id FROM items WHERE id IN ({marks})", ids)}
    for item_id in ids:
        if item_id not in known:
            raise other.refused(
                f"has observed an item that is not here: {item_id[:_SHOWN]!r}",
                "import here what was imported there, with the same ids, then merge",
            )


def _classes(db: Database, annotator: ForeignAnnotator) -> int:
    """How many labels an annotator was asked about; 0 where they are not the project's (a strategy's yes or no)."""
    digest = annotator.identity.get("labels")
    query = "SELECT count(*) FROM label_sets WHERE digest = ?"
    return int(db.execute(query, [digest]).fetchone()[0]) if isinstance(digest, str) else 0


def _stored(db: Database, key: str, ids: list[str]) -> dict[str, tuple[object, ...]]:
    """The numbers of those observations that are here, by item."""
    marks = ",".join("?" * len(ids))
    query = f"SELECT {_NUMBERS} FROM observations WHERE annotator = ? AND item IN ({marks})"
    return {row[0]: tuple(row) for row in db.execute(query, [key, *ids])}
