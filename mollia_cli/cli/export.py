"""``mollia export``: labels, a dataset, or a model, out of the project."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli.common import (
    ProjectOption,
    RoundOption,
    RunOption,
    data_out,
    excluded,
    open_project,
    out_option,
    stdout_reader,
    talk,
)
from mollia_cli.domain.errors import InputError, RefusedError

app = typer.Typer(no_args_is_help=True, help="Labels, a dataset, or a trained model, out of the project.")


_OF_DATASETS = ("jsonl", "parquet")


@app.command()
def labels(
    out: Annotated[
        str, out_option("Write the labels to this .csv, .jsonl or .parquet file; - is standard output.")
    ] = "-",
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="The file's format (mollia choices writers). Default: from its name; jsonl on standard output.",
        ),
    ] = "",
    raw: Annotated[
        bool,
        typer.Option("--raw", help="CSV cells as they are: no apostrophe before those that a spreadsheet would run."),
    ] = False,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Write the texts of `mollia generate`, too, with the source synthetic.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Write the seed labels, people's labels, and the verdicts of the last aggregation.

    In CSV, a cell that starts with = + - @ tab or CR gets an apostrophe in front, so that no
    spreadsheet runs it; `mollia import` takes it away again.

    Example: mollia export labels -o labels.csv
    """
    from mollia_cli.insight.export import export_labels, format_of

    target = None if out == "-" else Path(out)
    chosen = file_format or ("jsonl" if target is None else format_of(target))
    if raw and chosen != "csv":
        excluded("--raw", f"the format {chosen}", "apostrophes stand in CSV alone")
    with open_project(project, several=True) as opened:
        if target is None:
            if chosen == "parquet" and sys.stdout.isatty():
                raise RefusedError("Parquet is no text for a terminal", "mollia export labels -o labels.parquet")
            with stdout_reader():
                count = export_labels(opened, data_out(), chosen, raw, synthetic)
        else:
            count = export_labels(opened, target, chosen, raw, synthetic)
    talk(f"{count} labels written to {'standard output' if out == '-' else out}")


@app.command()
def dataset(
    out: Annotated[str, out_option("Write the data set to this new folder.")],
    file_format: Annotated[
        str, typer.Option("--format", help="The file's format: jsonl, or parquet (needs mollia[parquet]).")
    ] = "jsonl",
    project: ProjectOption = None,
) -> None:
    """Write everything labelled as a Hugging Face dataset folder.

    Its README.md is the card that names the splits: train (seeds, people's labels and verdicts),
    validation and test (true labels).

    Example: mollia export dataset -o my-dataset    # datasets.load_dataset("my-dataset")
    """
    from mollia_cli.insight.export import export_dataset

    if file_format not in _OF_DATASETS:
        raise InputError(f"a data set has no files of the format {file_format!r}", f"known: {', '.join(_OF_DATASETS)}")
    with open_project(project) as opened:
        counts = export_dataset(opened, Path(out), file_format)
    talk(f"{out}: {', '.join(f'{n} rows of {split}' for split, n in counts.items())}")


@app.command()
def model(
    out: Annotated[str, out_option("Write the model to this new folder.")],
    run: RunOption = "",
    number: RoundOption = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Add model.onnx (needs mollia[onnx]).")] = False,
    project: ProjectOption = None,
) -> None:
    """Copy a trained classifier to a folder that transformers loads unchanged.

    Example: mollia export model -o my-classifier    # transformers.pipeline("text-classification", "my-classifier")
    """
    from mollia_cli.insight.export import export_model
    from mollia_cli.insight.predict import choose_round

    with open_project(project) as opened:
        chosen = choose_round(opened, run, number)
        folder = export_model(opened, chosen, Path(out), onnx)
    talk(f"the model of run {chosen.run}, round {chosen.number}, is in {folder}")
