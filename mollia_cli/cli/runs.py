"""``mollia runs``: list, delete."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from mollia_cli.cli.common import (
    JsonListOption,
    JsonOption,
    ProjectOption,
    YesOption,
    confirm,
    emit_json,
    emit_list,
    open_project,
    talk,
)

app = typer.Typer(no_args_is_help=True, help="The project's runs: list, delete.")

_COLUMNS = ["run", "current", "rounds", "labelled", "strategy", "aggregator", "annotator", "opened", "stopped"]


@app.command("list")
def list_(project: ProjectOption = None, as_json: JsonListOption = False) -> None:
    """Show the runs, the one used last first: what they are, finished rounds, and why they have ended.

    Example: mollia runs list
    """
    from mollia_cli.insight.runs import list_runs

    with open_project(project) as opened:
        rows = [asdict(row) for row in list_runs(opened)]
    emit_list(rows, _COLUMNS, as_json)


@app.command()
def delete(
    run: Annotated[str, typer.Argument(help="The run.")],
    yes: YesOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a run with its rounds, selections and classifiers, for good.

    Observations, decisions and verdicts stay: another run uses them. The journal keeps that it was there.

    Example: mollia runs delete coreset.2
    """
    from mollia_cli.insight.runs import delete_run, deletion

    with open_project(project) as opened:
        confirm(_question(asdict(deletion(opened, run))), yes)
        gone = asdict(delete_run(opened, run))
    if as_json:
        emit_json(gone)
        return
    talk(f"deleted: run {run}")


def _question(gone: dict[str, Any]) -> str:
    counted = ", ".join(f"{count} {table}" for table, count in gone["rows"].items() if table != "runs")
    models = f", and its classifiers in {gone['folder']}" if gone["folder"] else ""
    return f"run {gone['run']} goes for good, with {counted or 'no rounds'}{models}"
