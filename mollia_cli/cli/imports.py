"""``mollia imports``: list, undo."""

from dataclasses import asdict
from typing import Annotated

import typer

from mollia_cli.cli.common import (
    JsonListOption,
    JsonOption,
    ProjectOption,
    YesOption,
    emit_json,
    emit_list,
    open_project,
    talk,
)
from mollia_cli.cli.move import used_lines
from mollia_cli.domain.printable import count

app = typer.Typer(no_args_is_help=True, help="What was imported: list, undo.")

_COLUMNS = ["number", "name", "split", "added", "changed", "imported_at", "undone_at"]


@app.command("list")
def list_(project: ProjectOption = None, as_json: JsonListOption = False) -> None:
    """Show every import with its number, and how many items it has added and changed.

    Example: mollia imports list
    """
    from mollia_cli.insight.imports import list_imports

    with open_project(project, several=True) as opened:
        rows = [asdict(row) for row in list_imports(opened)]
    emit_list(rows, _COLUMNS, as_json)


@app.command()
def undo(
    number: Annotated[int, typer.Argument(help="The import's number, as `mollia imports list` shows it.")],
    yes: YesOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an import back.

    The items that it added are removed; those that were there before and that it gave a label or moved are as they
    were, if nothing has changed them since. Where observations, verdicts, decisions or selections hang on what
    would be removed, the command names them and does nothing, unless --yes. The journal keeps what was
    done; to leave no trace of a text: `mollia forget`.

    Example: mollia imports undo 3
    """
    from mollia_cli.insight.imports import undo_import

    with open_project(project, several=True) as opened:
        done = undo_import(opened, number, yes)
    removed = count(done.removed, "item")
    talk(f"took back import {number} ({done.name}): {removed} removed, {done.restored} as they were before")
    for line in used_lines(done.used):
        talk(line)
    if as_json:
        emit_json(asdict(done))
