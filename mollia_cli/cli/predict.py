"""``mollia predict``."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mollia_cli.cli.common import (
    FormatOption,
    IdColumnOption,
    JsonLinesOption,
    ProjectOption,
    RoundOption,
    RunOption,
    TextColumnOption,
    ThreadsOption,
    by_label,
    emit_stream,
    excluded,
    open_project,
    out_option,
    source_of,
    talk,
)
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count

_COLUMNS = ["id", "line", "label", "confidence"]
_WRITTEN = (".csv", ".jsonl")


def predict(
    file: Annotated[str, typer.Argument(help="A file of texts; - reads standard input.")],
    out: Annotated[str, out_option("Write the labels to this .csv or .jsonl file; - is standard output.")] = "-",
    run: RunOption = "",
    number: RoundOption = None,
    text_column: TextColumnOption = None,
    id_column: IdColumnOption = None,
    file_format: FormatOption = "",
    threads: ThreadsOption = None,
    project: ProjectOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Label new texts with the trained classifier.

    A file that is written appears whole or not at all. What is piped is lines of text, unless it is plainly a
    table or JSON lines.

    Example: echo "Where is Ulm ?" | mollia predict - | jq -r .label
    """
    from mollia_cli.insight.predict import choose_round
    from mollia_cli.insight.predict import predict as run_predict
    from mollia_cli.readers import Problem

    if out != "-":
        if as_json:
            excluded("--json", "-o", "the file's name says how it is written")
        if Path(out).suffix.lower() not in _WRITTEN:
            raise InputError(
                f"labels cannot be written to {out!r}", f"give a name that ends in {' or '.join(_WRITTEN)}"
            )
    source, called = source_of(file)
    with open_project(project, threads) as opened:
        chosen = choose_round(opened, run, number)
        names = opened.labels.names
        done = skipped = 0

        def records() -> Iterator[dict[str, Any]]:
            nonlocal done, skipped
            for row in run_predict(
                opened,
                source,
                chosen,
                name=called,
                file_format=file_format or None,
                text_column=text_column,
                id_column=id_column,
            ):
                if isinstance(row, Problem):
                    talk(f"{called}:{row.line}: {row.message}")
                    skipped += 1
                    continue
                done += 1
                best = int(row.probabilities.argmax())
                yield {
                    **({"line": row.line} if row.id is None else {"id": row.id}),
                    "label": names[best],
                    "confidence": round(float(row.probabilities[best]), 6),
                    "probabilities": {n: round(float(p), 6) for n, p in zip(names, row.probabilities, strict=True)},
                }
            if not done:  # before a file is written
                raise InputError(f"no row of {called} could be used", "see the messages above")

        if out == "-":
            emit_stream(records(), _COLUMNS, as_json, by_label)
        else:
            written = _write(records(), Path(out))
            talk(f"{count(written, 'label')} written to {out}")
    if skipped:
        talk(f"{count(skipped, 'row')} could not be used")


def _write(records: Iterable[Mapping[str, Any]], out: Path) -> int:
    """Records as a file in the format of its name; returns how many."""
    from mollia_cli.insight.export import write_rows

    if out.suffix.lower() == ".csv":  # every row has the same cells
        records = ({"id": None, "line": None, **record} for record in records)
    return write_rows(records, out)
