"""``mollia import``."""

from typing import Annotated

import typer

from mollia_cli.cli.common import (
    FormatOption,
    IdColumnOption,
    JsonOption,
    ProjectOption,
    SplitOption,
    TextColumnOption,
    emit_json,
    open_project,
    source_of,
    talk,
)
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import check_split

_SHOWN_PROBLEMS = 10


def import_(
    file: Annotated[str, typer.Argument(help="A CSV, TSV, JSONL, plain text or Parquet file; - reads standard input.")],
    split: SplitOption = "pool",
    text_column: TextColumnOption = None,
    label_column: Annotated[str | None, typer.Option(help="The column of the true label.")] = None,
    id_column: IdColumnOption = None,
    file_format: FormatOption = "",
    strict: Annotated[bool, typer.Option("--strict", help="Import nothing if any row cannot be used.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="CSV cells as they are: keep an apostrophe before = + - @ tab or CR.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add texts from a file.

    Every valid row is imported; the others are reported with their line numbers.
    Labels of pool items are kept for evaluation only. A text that is there already is skipped.
    Where a text may have several labels: name them with ; between, or as a list ["a", "b"]; [] for none.

    Example: mollia import questions.csv --split pool --text-column question
    """
    from mollia_cli.project.ingest import ingest

    check_split(split)
    source, called = source_of(file)
    with open_project(project, several=True) as opened:
        report = ingest(
            opened,
            source,
            split,
            name=called,
            file_format=file_format or None,
            text_column=text_column,
            label_column=label_column,
            id_column=id_column,
            strict=strict,
            raw=raw,
        )
    for problem in report.problems[:_SHOWN_PROBLEMS]:
        talk(f"{report.source}:{problem.line}: {problem.message}")
    if len(report.problems) > _SHOWN_PROBLEMS:
        talk(f"... and {len(report.problems) - _SHOWN_PROBLEMS} more rows that cannot be used")
    labels = f" ({', '.join(f'{name} {n}' for name, n in report.by_label.items())})" if report.by_label else ""
    talk(
        f"imported {report.added} texts as {split}{labels}; "
        f"{report.duplicates} duplicates and {len(report.problems)} unusable rows skipped"
    )
    if as_json:
        emit_json(
            {
                "source": report.source,
                "split": split,
                "added": report.added,
                "duplicates": report.duplicates,
                "problems": [{"line": p.line, "message": p.message} for p in report.problems],
            }
        )
    if report.problems and not report.added and not report.duplicates:
        raise InputError(f"no row of {report.source} could be used", "see the messages above")
