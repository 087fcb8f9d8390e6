"""``mollia forget``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mollia_cli.cli.common import (
    JsonOption,
    ProjectOption,
    YesOption,
    confirm,
    emit,
    emit_json,
    open_project,
    read_ids,
    talk,
)
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count, printable

if TYPE_CHECKING:
    from mollia_cli.insight.forget import Consequences, Forgotten


def forget(
    ids: Annotated[list[str], typer.Argument(help="Ids of items; - reads them from standard input.")],
    yes: YesOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove items and everything that was made of them, for good.

    That is: their texts, the observations and decisions on them, verdicts, selections and synthetic texts,
    and caches; the database is overwritten and compacted. The journal keeps digests, no text and no
    id. Trained classifiers, exported files, reports and backups are not touched: those that are known are
    named.

    Example: mollia forget 3fa2b8c1d4e5f607
    """
    from mollia_cli.insight.forget import consequences
    from mollia_cli.insight.forget import forget as remove

    if "-" in ids and not yes:
        raise InputError("ids that come from standard input leave nobody to ask", "add --yes")
    wanted = list(dict.fromkeys(one for given in ids for one in (read_ids("-") if given == "-" else [given])))
    with open_project(project, several=True) as opened:
        if not yes:
            confirm(_question(consequences(opened, wanted)), yes)
        done = remove(opened, wanted)
    if as_json:
        emit_json(asdict(done))
        return
    emit(f"forgotten: {count(len(done.items), 'item')}, {_counted(done.rows)}")
    for line in _remaining(done):
        talk(printable(line))


def _question(expected: "Consequences") -> str:
    models = f"; {len(expected.trained)} classifiers that have learned from them stay" if expected.trained else ""
    return f"{count(len(expected.items), 'item')} will go for good, with {_counted(expected.rows)}{models}"


def _counted(rows: Mapping[str, int]) -> str:
    made = {table: count for table, count in rows.items() if table != "items"}
    return ", ".join(f"{count} {table.replace('_', ' ')}" for table, count in made.items()) or "nothing made of them"


def rounds_in_words(numbers: Sequence[int]) -> str:
    """Some rounds of a run, in ascending order: from the first that has learned of an item it is nearly always all."""
    if len(numbers) == 1:
        return f"round {numbers[0]}"
    in_a_row = numbers[-1] - numbers[0] == len(numbers) - 1
    return f"rounds {numbers[0]} to {numbers[-1]}" if in_a_row else f"rounds {', '.join(map(str, numbers))}"


def _remaining(done: "Forgotten") -> Sequence[str]:
    """What the command could not remove, a line each."""
    lines = [f"not removed: {file} (it holds, or may hold, their text or id)" for file in done.left]
    for run in dict.fromkeys(one.run for one in done.trained):
        numbers = [one.round for one in done.trained if one.run == run]
        lines.append(
            f"not removed: what the classifiers of run {run}, {rounds_in_words(numbers)}, have learned from them;"
            f" make another run, then: mollia runs delete {run}"
        )
    lines += [f"not removed: the file that they were imported from ({source})" for source in done.sources]
    if not done.wiped:
        lines.append("another process has the database open: mollia.db-wal holds the texts until it has ended")
    return [*lines, "not removed: what was exported or copied out of the project"]
