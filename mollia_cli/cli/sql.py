"""``mollia sql``."""

from typing import Annotated

import typer

from mollia_cli.cli.common import (
    JsonListOption,
    ProjectOption,
    emit_csv,
    emit_list,
    excluded,
    open_project,
    read_text,
)


def sql(
    query: Annotated[
        str, typer.Argument(help="One SELECT; - reads it from standard input. Default: list the tables.")
    ] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    project: ProjectOption = None,
    as_json: JsonListOption = False,
) -> None:
    """Read the project's database with SQL.

    Nothing can be changed: it is opened read-only. Without a query: the views and tables, with their columns.

    Example: mollia sql "select text, label, confidence from current_verdicts order by confidence limit 5"
    """
    if as_csv and as_json:
        excluded("--csv", "--json", "the answer is printed once")
    from mollia_cli.insight.sql import ask, tables

    with open_project(project, several=True) as opened:
        found = ask(opened, read_text("-") if query == "-" else query) if query else tables()
        if as_csv:
            emit_csv(found.rows)
        else:
            emit_list(found.rows, found.columns, as_json)
