"""``mollia import``."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

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
from mollia_cli.cli.move import used_lines
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import SPLITS, check_split
from mollia_cli.domain.printable import count

if TYPE_CHECKING:
    from mollia_cli.project.ingest import ImportReport

_SHOWN_PROBLEMS = 10


def import_(
    file: Annotated[
        str,
        typer.Argument(
            help="A file of texts (mollia choices readers; also gzip) or a data set's folder; - reads standard input."
        ),
    ],
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
    The text is the column that is called like one, else the one with the longest texts; other columns are kept.
    Labels of pool items are kept for evaluation only.
    A text that is there already is no new item. If it has no label, it takes the row's; with another label than
    the row's it is left as it is, and named. From the pool it moves to --split; out of seed, validation and
    test only `mollia move` takes it. `mollia imports undo` takes an import back.
    Where a text may have several labels: name them with ; between, or as a list ["a", "b"]; [] for none.
    What is piped is lines of text, unless it is plainly a table or JSON lines.

    Example: mollia import questions.csv --split pool --text-column question
    """
    from mollia_cli.insight.imports import used_in_pool
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
        used = used_in_pool(opened, report.moved)
    for problem in report.problems[:_SHOWN_PROBLEMS]:
        talk(f"{report.source}:{problem.line}: {problem.message}")
    if len(report.problems) > _SHOWN_PROBLEMS:
        talk(f"... and {len(report.problems) - _SHOWN_PROBLEMS} more rows that cannot be used")
    labels = f" ({', '.join(f'{name} {n}' for name, n in report.by_label.items())})" if report.by_label else ""
    talk(
        f"imported {count(report.added, 'text')} as {split}{labels}; "
        f"{count(report.duplicates, 'duplicate')} and {len(report.problems)} unusable rows skipped"
    )
    for line in (*_changes(report), *used_lines(used)):
        talk(line)
    if split == "pool" and report.by_label:
        talk("labels of pool texts are for evaluation alone; to learn from them, import the file with --split seed")
    if split == "test" and report.unlabelled:
        talk(f"{report.unlabelled} of them have no label: nothing is measured on those")
    if as_json:
        emit_json(
            {
                "number": report.number,
                "source": report.source,
                "split": split,
                "added": report.added,
                "labelled": report.labelled,
                "moved": len(report.moved),
                "duplicates": report.duplicates,
                "stayed": report.stayed,
                "near_duplicates": [{"split": a, "other": b, "items": n} for a, b, n in report.near],
                "problems": [{"line": p.line, "message": p.message} for p in report.problems],
            }
        )
    if report.idle:
        raise InputError(f"no row of {report.source} could be used", "see the messages above")


def _changes(report: "ImportReport") -> Iterator[str]:
    """What became of texts that were there before, a line each."""
    if report.labelled:
        yield f"labelled now, and there without a label before: {count(report.labelled, 'text')}"
    if report.moved:
        yield f"moved {count(len(report.moved), 'text')} from pool to {report.split}"
    for split, n in report.stayed.items():
        yield f"{n} of the duplicates in {split} stay there: only mollia move takes them out"
    if report.near:
        places = {split: "pool" if split == "pool" else f"{split} set" for split in SPLITS}
        pairs = ", ".join(f"{count(n, f'{split} text')} in the {places[other]} too" for split, other, n in report.near)
        measured = any(split in ("test", "validation") for split, _, _ in report.near)
        what = "scores on them are too good" if measured else "they count twice"
        yield f"{pairs}, but for case, spaces, punctuation or markup: {what}; mollia duplicates shows them"
