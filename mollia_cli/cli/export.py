"""``mollia export``: labels, a dataset, or a model, out of the project."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli.common import (
    ProjectOption,
    RoundOption,
    RunOption,
    WhereOption,
    data_out,
    excluded,
    one_label_only,
    open_project,
    out_option,
    stdout_reader,
    talk,
)
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.printable import count

app = typer.Typer(no_args_is_help=True, help="Labels, a dataset, or a trained model, out of the project.")


_OF_DATASETS = ("jsonl", "parquet")


@app.command()
def labels(
    out: Annotated[
        str, out_option("Write the labels to this .csv, .jsonl, .parquet or .spacy file; - is standard output.")
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
    min_confidence: Annotated[
        float, typer.Option(help="Only labels of this confidence or above; people's have 1.", min=0.0, max=1.0)
    ] = 0.0,
    needs_review: Annotated[
        bool,
        typer.Option(
            "--needs-review", help="Only verdicts that people should look at: no precision is promised of them."
        ),
    ] = False,
    target_precision: Annotated[
        float | None,
        typer.Option(
            help="Of --needs-review: verdicts that it leaves out have this accuracy. Default: 0.95.", min=0.0, max=1.0
        ),
    ] = None,
    where: WhereOption = None,
    project: ProjectOption = None,
) -> None:
    """Write the seed labels, people's labels, and the verdicts of the last aggregation.

    Each with whose it is: the column `source` says gold, human or the aggregator's name, `who` names the people.
    With --needs-review the verdicts whose confidence is too low for the promise that `mollia aggregate
    --target-precision` makes, and those that people disagree on.

    Where a text may have several labels: CSV or JSON lines with those that apply, and every label's probability.
    Other columns of the imported files follow; one that is called as a column of mollia's (source) is imported_source.
    In CSV, a cell that starts with = + - @ tab or CR gets an apostrophe in front, so that no
    spreadsheet runs it; `mollia import` takes it away again.

    Example: mollia export labels -o labels.csv
    """
    from mollia_cli.insight.export import export_labels, format_of, is_binary

    target = None if out == "-" else Path(out)
    chosen = file_format or ("jsonl" if target is None else format_of(target))
    if raw and chosen != "csv":
        excluded("--raw", f"the format {chosen}", "apostrophes stand in CSV alone")
    if needs_review and min_confidence:
        excluded("--needs-review", "--min-confidence", "one is about verdicts in doubt, the other leaves them out")
    if needs_review and synthetic:
        excluded("--needs-review", "--synthetic", "what LLMs wrote has no verdict")
    if target_precision is not None and not needs_review:
        raise InputError("--target-precision says what --needs-review is about", "add --needs-review")
    unpromised = (0.95 if target_precision is None else target_precision) if needs_review else None
    with open_project(project, several=True) as opened:
        if opened.settings.multilabel:
            one_label_only("--needs-review", needs_review)
            one_label_only("--synthetic", synthetic)
        if target is None:
            if is_binary(chosen) and sys.stdout.isatty():
                raise RefusedError(f"{chosen} is no text for a terminal", f"mollia export labels -o labels.{chosen}")
            with stdout_reader():
                written = export_labels(
                    opened, data_out(), chosen, raw, synthetic, where or (), min_confidence, unpromised
                )
        else:
            written = export_labels(opened, target, chosen, raw, synthetic, where or (), min_confidence, unpromised)
    talk(f"{count(written, 'label')} written to {'standard output' if out == '-' else out}")


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
    rows = [f"{count(n, 'row')} of {split}" for split, n in counts.items()]
    talk(f"{out}: {', '.join(rows)}")


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
