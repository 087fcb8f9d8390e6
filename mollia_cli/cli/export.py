"""``mollia export``: labels or a model, out of the project."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli.common import ProjectOption, open_project, talk

app = typer.Typer(no_args_is_help=True, help="Labels, or a trained model, out of the project.")


@app.command()
def labels(
    out: Annotated[str, typer.Argument(help="A .csv or .jsonl file; - writes JSON lines to standard output.")],
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="The texts of `mollia generate`, too, with the source synthetic.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Write the seed labels and the verdicts of the last aggregation.

    Example: mollia export labels labels.csv
    """
    from mollia_cli.workflow.export import labelled_rows, write_rows

    with open_project(project) as opened:
        rows = labelled_rows(opened, synthetic)
        count = write_rows(rows, sys.stdout, "jsonl") if out == "-" else write_rows(rows, Path(out))
    talk(f"{count} labels written to {'standard output' if out == '-' else out}")


@app.command()
def model(
    out: Annotated[Path, typer.Argument(help="The new folder.")],
    name: Annotated[str, typer.Option("--name", help="The run. Default: the one used last.")] = "",
    number: Annotated[int | None, typer.Option("--round", help="The round. Default: the run's best.")] = None,
    project: ProjectOption = None,
) -> None:
    """Copy a trained classifier to a folder that transformers loads unchanged.

    Example: mollia export model my-classifier
    """
    from mollia_cli.workflow.export import export_model
    from mollia_cli.workflow.predict import choose_round

    with open_project(project) as opened:
        chosen = choose_round(opened, name, number)
        folder = export_model(opened, chosen, out)
    talk(f"the model of run {chosen.run}, round {chosen.number}, is in {folder}")
