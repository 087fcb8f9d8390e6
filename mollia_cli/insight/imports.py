"""``mollia imports``, ``mollia move``, ``mollia duplicates``: what came from where, and putting it right."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.items import NEEDS_LABEL, Item
from mollia_cli.insight.forget import TrainedOn, trained_on
from mollia_cli.project.context import Project
from mollia_cli.project.learner import finished_rounds
from mollia_cli.store.imports import Import


@dataclass(frozen=True, slots=True)
class Used:
    """What some items were used for and does not change with them.

    trained: rounds whose classifier has learned from one, or was chosen by it. measured: runs whose test scores have
    one in them.
    """

    trained: tuple[TrainedOn, ...]
    measured: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: by the split that they came from, how many items. there: those that stood in ``split`` before."""

    split: str
    items: dict[str, int]
    there: int
    used: Used


@dataclass(frozen=True, slots=True)
class Undone:
    """An import that was taken back: the items that it had added and changed, and the rows that went with them."""

    number: int
    name: str
    removed: int
    restored: int
    rows: dict[str, int]
    used: Used


def list_imports(project: Project) -> list[Import]:
    """Every import that did something, in their order."""
    return project.store.imports.all()


def undo_import(project: Project, number: int, lossy: bool = False) -> Undone:
    """Remove the items that an import added, and put back those that it changed, if nothing has changed them since.

    lossy: together with everything that was made of the removed ones; without it, RefusedError names that.
    Raises NotFoundError for a number that no import has.
    """
    store = project.store.imports
    found = store.get(number)
    if found.undone_at is not None:
        raise InputError(f"import {number} was taken back already, at {found.undone_at}", "mollia imports list")
    rows, added, changed = store.lost(number), store.added(number), store.changed(number)
    if rows and not lossy:
        made = ", ".join(f"{count} {table.replace('_', ' ')}" for table, count in rows.items())
        raise RefusedError(
            f"import {number} ({found.name}) cannot be taken back without what was made of its items: {made}",
            f"to lose that, too: mollia imports undo {number} --yes",
        )
    used = used_for(project, project.store.items.get([*added, *changed]))
    store.undo(number)
    return Undone(number, found.name, len(added), len(changed), rows, used)


def move(project: Project, ids: Sequence[str], split: str) -> Moved:
    """Put items into another split. A person's label goes with an item that leaves the pool.

    Raises NotFoundError for an unknown id, InputError where an item without a label would be a seed or validation item.
    """
    items = project.store.items.get(ids)
    given = project.store.decisions.labels() if split != "pool" else {}
    leaving = [item for item in items if item.split != split]
    placed = [replace(item, split=split).with_gold(given.get(item.id, item.gold)) for item in leaving]
    bare = [item.id for item in placed if item.gold is None] if split in NEEDS_LABEL else []
    if bare:
        raise InputError(
            f"{len(bare)} of {len(ids)} items have no label, which {split} items need, the first {bare[0]!r}",
            f"import them with their labels (mollia import labelled.csv --split {split}), or label them: mollia review",
        )
    used = used_for(project, leaving)
    project.store.imports.change(placed, "move")
    return Moved(split, dict(Counter(item.split for item in leaving)), len(items) - len(leaving), used)


def used_for(project: Project, items: Sequence[Item]) -> Used:
    """What classifiers have learned from these items, and what was measured with them."""
    tested = any(item.split == "test" and item.gold is not None for item in items)
    runs = project.store.runs.names() if tested else []
    measured = [
        run for run in runs if any("test_micro_f1" in (round.metrics or {}) for round in finished_rounds(project, run))
    ]
    return Used(tuple(trained_on(project, items)), tuple(measured))


def used_in_pool(project: Project, ids: Sequence[str]) -> Used:
    """What items were used for that an import has just moved out of the pool."""
    return used_for(project, [replace(item, split="pool") for item in project.store.items.get(ids)])


def near_duplicates(project: Project) -> list[list[Item]]:
    """Groups of items that differ in markup, punctuation, case and white space alone; across splits first."""
    groups = project.store.items.near_duplicates()
    return sorted(groups, key=lambda group: len({item.split for item in group}) == 1)
