"""``mollia import``: texts from a file into the project."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations, islice
from pathlib import Path
from typing import BinaryIO

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import NEEDS_LABEL, SPLITS, Gold, Item, content_id
from mollia_cli.domain.printable import count
from mollia_cli.domain.progress import UNKNOWN
from mollia_cli.project.context import Project
from mollia_cli.readers import Problem, Record, read

_BATCH = 2000


@dataclass(slots=True)
class ImportReport:
    """What an import did: items added, items that were there and changed, rows skipped, and why.

    number: the import's, None where it did nothing. unlabelled: items that it added without a label. labelled: items
    that had none and have one now. moved: ids of those that left the pool for ``split``. duplicates: texts that are
    there and were left as they are; stayed: those of them in another split than ``split``, by split. near: (split,
    other, how many items of the first are in the other, too, but for case, white space, punctuation or markup), of the
    whole project.
    """

    source: str
    split: str
    number: int | None = None
    added: int = 0
    labelled: int = 0
    moved: list[str] = field(default_factory=list)
    duplicates: int = 0
    problems: list[Problem] = field(default_factory=list)
    by_label: Counter[str] = field(default_factory=Counter)
    unlabelled: int = 0
    stayed: Counter[str] = field(default_factory=Counter)
    near: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        """Whether nothing came of any row."""
        return not (self.added or self.labelled or self.moved or self.duplicates)


@dataclass(slots=True)
class _There:
    """An item of the project, as it stands or as it will: its id, split and labels, and the line that it is from."""

    id: str
    split: str
    gold: Gold | None
    line: int | None = None


def ingest(
    project: Project,
    source: Path | BinaryIO,
    split: str,
    *,
    name: str,
    file_format: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    id_column: str | None = None,
    strict: bool = False,
    raw: bool = False,
) -> ImportReport:
    """Add every valid row of a file, in one transaction; with ``strict``, all rows or none.

    ``raw``: CSV cells are taken as they are, though `mollia export` may have put an apostrophe before some.

    Rows that cannot be used are problems of the report, with their line numbers. A text that is there already is no
    new item: without a label it takes the row's, and out of the pool it moves into ``split``; out of another split only
    `mollia move` takes it. A text that is there with another label is a problem, and stays as it is.
    """
    report = ImportReport(name, split)
    records = read(
        source,
        file_format,
        name=name,
        text_column=text_column,
        label_column=label_column,
        id_column=id_column,
        say=project.say,
        raw=raw,
        several=project.settings.multilabel,
    )
    store, changed = project.store, dict[str, Item]()
    with store.import_transaction():
        for batch in _batches(_new_items(project, records, report, changed)):
            store.items.add(batch, name, _number(project, report))
            report.added += len(batch)
            project.progress(f"reading {name}", report.added, UNKNOWN)
        project.progress(f"reading {name}", report.added, report.added)
        if changed:
            store.imports.change(list(changed.values()), "import", _number(project, report))
        if strict and report.problems:
            first = report.problems[0]
            raise InputError(
                f"{name}: {count(len(report.problems), 'row')} cannot be used; line {first.line}: {first.message}",
                "nothing was imported; mend the file, or leave --strict away to import the valid rows",
            )
    report.near = near_across(project)
    return report


def near_across(project: Project) -> list[tuple[str, str, int]]:
    """(split, another, how many items of the first are near-duplicates of one in the other), where there are any."""
    groups = project.store.items.near_duplicates(across=True)
    return [
        (split, other, count)
        for split, other in combinations(reversed(SPLITS), 2)
        if (count := sum(item.split == split for group in groups for item in group if _has(group, other)))
    ]


def _has(group: Iterable[Item], split: str) -> bool:
    return any(item.split == split for item in group)


def _number(project: Project, report: ImportReport) -> int:
    """The import's number; it is written down when it does something for the first time."""
    if report.number is None:
        report.number = project.store.imports.open(report.source, report.split)
    return report.number


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(islice(items, _BATCH)):
        yield batch


def _new_items(
    project: Project, records: Iterable[Record | Problem], report: ImportReport, changed: dict[str, Item]
) -> Iterator[Item]:
    """The records that become new items; ``changed`` takes items that are there and change; the rest is counted."""
    lines: dict[str, int] = {}  # by id
    seen: dict[str, _There] = {}  # by text: what the file's texts are, or become
    given = project.store.decisions.labels()
    for record in records:
        if isinstance(record, Problem):
            report.problems.append(record)
            continue
        try:
            item = _item(project, record, report.split)
        except InputError as error:
            report.problems.append(Problem(record.line, f"{error.message} ({error.hint})"))
            continue
        digest = content_id(item.text)
        there = seen.get(digest)
        if there is None:
            if item.id in lines:
                message = f"id {item.id!r} was used in line {lines[item.id]} for another text"
                report.problems.append(Problem(record.line, message))
                continue
            clash = project.store.items.clash(item.id, item.text)
            if clash is None:
                lines[item.id] = record.line
                seen[digest] = _There(item.id, item.split, item.gold, record.line)
                report.by_label.update(_names(project, item.gold))
                report.unlabelled += item.gold is None
                yield item
                continue
            if not clash.same_text:
                report.problems.append(Problem(record.line, f"id {item.id!r} is in the project with another text"))
                continue
            there = seen[digest] = _There(clash.id, clash.split, clash.gold)
        _settle(there, item, record.line, given.get(there.id), project, report, changed)


def _settle(
    there: _There,
    item: Item,
    line: int,
    given: int | None,
    project: Project,
    report: ImportReport,
    changed: dict[str, Item],
) -> None:
    """A row whose text is there already: change the item, skip it, or say why it cannot be used.

    given: the label that a person gave the item.
    """
    known = there.gold if given is None else given
    labels, moves = there.gold is None and item.gold is not None, there.split == "pool" != item.split
    if known is not None and item.gold not in (None, known) and (moves or there.gold != item.gold):
        where = f"item {there.id} in {there.split}" if there.line is None else f"that of line {there.line}"
        has, here = (", ".join(map(repr, _names(project, gold))) or "with none of them" for gold in (known, item.gold))
        report.problems.append(Problem(line, f"the text is {where}, labelled {has}, here {here}; it is left as it is"))
        return
    if labels or moves:
        report.labelled += labels
        report.moved += [there.id] * moves
        there.gold = item.gold if labels else there.gold
        there.split = item.split if moves else there.split
        changed[there.id] = replace(item, id=there.id, split=there.split).with_gold(there.gold)
        return
    report.duplicates += 1
    if there.split != item.split:
        report.stayed[there.split] += 1


def _names(project: Project, gold: Gold | None) -> list[str]:
    """The names of an item's label or labels."""
    places = () if gold is None else (gold,) if isinstance(gold, int) else gold
    return [project.labels.names[place] for place in places]


def _item(project: Project, record: Record, split: str) -> Item:
    several = project.settings.multilabel
    if record.label is None and split in NEEDS_LABEL:
        none = "; [] says that none of the labels applies" if several else ""
        raise InputError("no label", f"rows imported as {split} need one{none}")
    item = Item(record.id or content_id(record.text), record.text, split, fields=record.fields)
    if record.label is None:
        return item
    return item.with_gold(_set_of(project, record.label) if several else project.labels.index(record.label))


def _set_of(project: Project, written: str) -> tuple[int, ...]:
    """The labels of a cell, ascending: a JSON array of names, or names with ; between."""
    names: list[str]
    if written.startswith("["):
        try:
            names = [str(name) for name in json.loads(written)]
        except json.JSONDecodeError as error:
            raise InputError(f"labels {written[:60]!r} are no JSON array", 'write ["a", "b"], or a;b') from error
    else:
        names = [name.strip() for name in written.split(";") if name.strip()]
    return tuple(sorted({project.labels.index(name) for name in names}))
