"""``mollia move``."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mollia_cli.cli.common import (
    JsonOption,
    ProjectOption,
    SplitOption,
    emit_json,
    excluded,
    open_project,
    read_ids,
    talk,
)
from mollia_cli.cli.forget import rounds_in_words
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import check_split
from mollia_cli.domain.printable import count

if TYPE_CHECKING:
    from mollia_cli.insight.imports import Used


def move(
    split: SplitOption,
    ids: Annotated[str, typer.Argument(help="A file of ids, or - for standard input.")] = "",
    from_import: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="The items that this import added (mollia imports list).")
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move items to another split.

    Seed and validation items need a label; one that a person gave goes with the item. Classifiers that have learned
    from the items, and scores that were measured with them, stay as they are: they are named.

    Example: mollia move ids.txt --split validation
    """
    from mollia_cli.insight.imports import move as put

    check_split(split)
    if ids and from_import is not None:
        excluded("--from-import", f"the ids of {ids}", "each says which items are moved")
    if not ids and from_import is None:
        raise InputError("which items?", "give a file of ids, - for standard input, or --from-import NUMBER")
    with open_project(project, several=True) as opened:
        if from_import is None:
            wanted = read_ids(ids)
        else:
            wanted = opened.store.imports.added(opened.store.imports.get(from_import).number)
        if not wanted:
            raise InputError("there is nothing to move: no id was given", "mollia select prints ids of the pool")
        done = put(opened, wanted, split)
    for before, n in done.items.items():
        talk(f"moved {count(n, 'item')} from {before} to {split}")
    if done.there:
        talk(f"in {split} already: {count(done.there, 'item')}")
    for line in used_lines(done.used):
        talk(line)
    if as_json:
        emit_json(asdict(done))


def used_lines(used: "Used") -> Iterator[str]:
    """What has seen the items and stays as it is, a line each."""
    for run in dict.fromkeys(one.run for one in used.trained):
        numbers = [one.round for one in used.trained if one.run == run]
        yield f"the classifiers of run {run}, {rounds_in_words(numbers)}, have learned from them or were chosen by them"
    if used.measured:
        yield f"test scores of {', '.join(used.measured)} were measured with them"
    if used.trained or used.measured:
        yield "a run with another name starts without that: mollia run --run NAME"
