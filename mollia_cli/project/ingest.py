"""``mollia import``: texts from a file into the project."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item, content_id
from mollia_cli.project.context import Project
from mollia_cli.readers import Problem, Record, read
from mollia_cli.store.items import Clash

_BATCH = 2000
_NEEDS_LABEL = ("seed", "validation")


@dataclass(slots=True)
class ImportReport:
    """What an import did: items added, rows skipped, and why."""

    source: str
    split: str
    added: int = 0
    duplicates: int = 0
    problems: list[Problem] = field(default_factory=list)
    by_label: Counter[str] = field(default_factory=Counter)


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

    Rows that cannot be used are problems of the report, with their line numbers. A text that is
    already in the project (in any split) is a duplicate and is skipped.
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
    store = project.store
    with store.import_transaction():
        batches = _batches(_new_items(project, records, report))
        for batch in batches:
            store.items.add(batch, name)
            report.added += len(batch)
            project.progress(f"reading {name}", report.added, report.added + _BATCH)
        project.progress(f"reading {name}", report.added, report.added)
        if strict and report.problems:
            first = report.problems[0]
            raise InputError(
                f"{name}: {len(report.problems)} rows cannot be used, the first in line {first.line}: {first.message}",
                "nothing was imported; mend the file, or leave --strict away to import the valid rows",
            )
    return report


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(islice(items, _BATCH)):
        yield batch


def _new_items(project: Project, records: Iterable[Record | Problem], report: ImportReport) -> Iterator[Item]:
    """The records that become new items; the rest is counted or becomes a problem."""
    fresh_ids: dict[str, tuple[str, int]] = {}
    fresh_texts: dict[str, int] = {}
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
        if digest in fresh_texts:
            report.duplicates += 1
            continue
        if item.id in fresh_ids:
            report.problems.append(
                Problem(record.line, f"id {item.id!r} was used in line {fresh_ids[item.id][1]} for another text")
            )
            continue
        clash = project.store.items.clash(item.id, item.text)
        if clash is not None:
            _settle(clash, item, record.line, project, report)
            continue
        fresh_ids[item.id] = (digest, record.line)
        fresh_texts[digest] = record.line
        if item.label is not None:
            report.by_label[project.labels.names[item.label]] += 1
        report.by_label.update(project.labels.names[k] for k in item.labels or ())
        yield item


def _settle(clash: Clash, item: Item, line: int, project: Project, report: ImportReport) -> None:
    """A record whose text or id is in the project already: skip it, or say why it cannot be used."""
    there, here = _labelled(project, clash), _labelled(project, item)
    if not clash.same_text:
        report.problems.append(Problem(line, f"id {item.id!r} is in the project with another text"))
    elif there and here and there != here:
        report.problems.append(
            Problem(line, f"the text is item {clash.id} in {clash.split}, labelled {there}, here {here}")
        )
    else:
        report.duplicates += 1


def _labelled(project: Project, known: Clash | Item) -> str:
    """The label or labels in words; empty where none is known."""
    names = project.labels.names
    if known.labels is not None:
        return ", ".join(repr(names[k]) for k in known.labels) or "with none of the labels"
    return "" if known.label is None else repr(names[known.label])


def _item(project: Project, record: Record, split: str) -> Item:
    several = project.settings.multilabel
    if record.label is None and split in _NEEDS_LABEL:
        none = "; [] says that none of the labels applies" if several else ""
        raise InputError("no label", f"rows imported as {split} need one{none}")
    own_id = record.id or content_id(record.text)
    if record.label is None or not several:
        return Item(own_id, record.text, split, None if record.label is None else project.labels.index(record.label))
    return Item(own_id, record.text, split, labels=_set_of(project, record.label))


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
