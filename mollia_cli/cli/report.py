"""``mollia report``: what is worth knowing beside the labels, as one HTML page; its parts are commands of their own."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli import report_detectors, report_panel
from mollia_cli.cli.common import (
    JsonOption,
    ProjectOption,
    RunOption,
    emit,
    emit_json,
    excluded,
    open_project,
    out_option,
    talk,
)
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count

app = typer.Typer(invoke_without_command=True)
app.command("panel")(report_panel.panel)
app.command("detectors")(report_detectors.detectors)
DEFAULT_FILE = "report.html"


@app.callback()
def report(
    context: typer.Context,
    out: Annotated[
        str, out_option(f"Write the page to this file; - is standard output. Default: {DEFAULT_FILE}.")
    ] = "",
    charts: Annotated[Path | None, typer.Option(help="Also write each chart into this folder, as SVG.")] = None,
    texts: Annotated[bool, typer.Option("--texts/--no-texts", help="Show the texts of examples.")] = True,
    run: RunOption = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a report as one HTML file that needs nothing else.

    Learning curves, panel quality, reliability, confusions, examples, cost, settings, data card and model card. A
    report travels: --no-texts leaves every text out. With --json the same is printed instead.

    Example: mollia report -o report.html --charts charts
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    if as_json and out:
        excluded("--json", "-o", "--json prints the report's data instead of writing the page")
    from mollia_cli.insight.report import report as gather
    from mollia_cli.reports.page import page
    from mollia_cli.reports.sections import charts as drawn
    from mollia_cli.reports.svg import standalone

    with open_project(project) as opened:
        found = gather(opened, run, texts)
    if charts is not None:
        charts.mkdir(parents=True, exist_ok=True)
        pictures = drawn(found)
        for chart in pictures:
            (charts / f"{chart.name}.svg").write_text(standalone(chart), encoding="utf-8")
        talk(f"wrote {count(len(pictures), 'chart')} to {charts}")
    if as_json:
        emit_json(asdict(found))
    elif out == "-":
        emit(page(found))
    else:
        file = out or DEFAULT_FILE
        Path(file).write_text(page(found), encoding="utf-8")
        talk(f"the report is in {file}")


def _called(context: typer.Context, name: str) -> str:
    """An option as it is typed."""
    return next(str(parameter.opts[0]) for parameter in context.command.params if parameter.name == name)


def _refuse_options(context: typer.Context) -> None:
    """An option before the subcommand would have no effect: say so."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        raise InputError(
            f"{_called(context, given[0])} stands before {context.invoked_subcommand!r}, where it has no effect",
            f"write it behind: mollia report {context.invoked_subcommand} --help",
        )
