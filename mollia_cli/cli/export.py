"""``mollia export``: labels, a dataset, or a model, out of the project."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli.common import ProjectOption, data_out, open_project, stdout_reader, talk
from mollia_cli.domain.errors import RefusedError

app = typer.Typer(no_args_is_help=True, help="Labels, a dataset, or a trained model, out of the project.")


class Labels(StrEnum):
    """Formats of labels. Those of the writers: a test compares them."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"
    argilla = "argilla"
    prodigy = "prodigy"


class Files(StrEnum):
    """Formats of a dataset's files."""

    jsonl = "jsonl"
    parquet = "parquet"


@app.command()
def labels(
    out: Annotated[
        str, typer.Argument(help="A .csv, .jsonl or .parquet file; - (the default) is standard output.")
    ] = "-",
    file_format: Annotated[
        Labels | None, typer.Option("--format", help="Default: from the file's name; jsonl on standard output.")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="CSV: no apostrophe before cells that a spreadsheet would run.")
    ] = False,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="The texts of `mollia generate`, too, with the source synthetic.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Write the seed labels, people's labels, and the verdicts of the last aggregation.

    In CSV, a cell that starts with = + - @ tab or CR gets an apostrophe in front, so that no
    spreadsheet runs it; `mollia import` takes it away again.

    Example: mollia export labels labels.csv
    """
    from mollia_cli.insight.export import export_labels

    with open_project(project) as opened:
        if out == "-":
            chosen = file_format or Labels.jsonl
            if chosen == Labels.parquet and sys.stdout.isatty():
                raise RefusedError("Parquet is no text for a terminal", "mollia export labels labels.parquet")
            with stdout_reader():
                count = export_labels(opened, data_out(), chosen, raw, synthetic)
        else:
            count = export_labels(opened, Path(out), file_format or "", raw, synthetic)
    talk(f"{count} labels written to {'standard output' if out == '-' else out}")


@app.command()
def dataset(
    out: Annotated[Path, typer.Argument(help="The new folder.")],
    file_format: Annotated[Files, typer.Option("--format", help="Parquet needs mollia[parquet].")] = Files.jsonl,
    project: ProjectOption = None,
) -> None:
    """Write everything labelled as a Hugging Face dataset folder.

    Its README.md is the card that names the splits: train (seeds, people's labels and verdicts),
    validation and test (true labels).

    Example: mollia export dataset my-dataset    # datasets.load_dataset("my-dataset")
    """
    from mollia_cli.insight.export import export_dataset

    with open_project(project) as opened:
        counts = export_dataset(opened, out, file_format)
    talk(f"{out}: {', '.join(f'{n} rows of {split}' for split, n in counts.items())}")


@app.command()
def model(
    out: Annotated[Path, typer.Argument(help="The new folder.")],
    name: Annotated[str, typer.Option("--name", help="The run. Default: the one used last.")] = "",
    number: Annotated[int | None, typer.Option("--round", help="The round. Default: the run's best.")] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Add model.onnx (needs mollia[onnx]).")] = False,
    project: ProjectOption = None,
) -> None:
    """Copy a trained classifier to a folder that transformers loads unchanged.

    Example: mollia export model my-classifier    # transformers.pipeline("text-classification", "my-classifier")
    """
    from mollia_cli.insight.export import export_model
    from mollia_cli.insight.predict import choose_round

    with open_project(project) as opened:
        chosen = choose_round(opened, name, number)
        folder = export_model(opened, chosen, out, onnx)
    talk(f"the model of run {chosen.run}, round {chosen.number}, is in {folder}")
