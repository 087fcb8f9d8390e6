"""``mollia predict``."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from mollia_cli.cli.common import (
    JsonlOption,
    JsonOption,
    ProjectOption,
    ThreadsOption,
    emit_records,
    open_project,
    source_of,
    talk,
)


def predict(
    file: Annotated[str, typer.Argument(help="A file of texts; - reads standard input.")],
    name: Annotated[str, typer.Option("--name", help="The run. Default: the one used last.")] = "",
    number: Annotated[int | None, typer.Option("--round", help="The round's model. Default: the run's best.")] = None,
    text_column: Annotated[str | None, typer.Option(help="The column of the text.")] = None,
    id_column: Annotated[str | None, typer.Option(help="The column of your own ids.")] = None,
    file_format: Annotated[str | None, typer.Option("--format", help="csv, tsv, jsonl, lines or parquet.")] = None,
    threads: ThreadsOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonlOption = False,
) -> None:
    """Label new texts with the trained classifier.

    Example: echo "Where is Ulm ?" | mollia predict - | jq -r .label
    """
    from mollia_cli.insight.predict import choose_round
    from mollia_cli.insight.predict import predict as run_predict
    from mollia_cli.readers import Problem

    source, called = source_of(file)
    with open_project(project, threads) as opened:
        chosen = choose_round(opened, name, number)
        names = opened.labels.names
        skipped = 0

        def records() -> Iterator[dict[str, Any]]:
            nonlocal skipped
            for row in run_predict(
                opened,
                source,
                chosen,
                name=called,
                file_format=file_format,
                text_column=text_column,
                id_column=id_column,
            ):
                if isinstance(row, Problem):
                    talk(f"{called}:{row.line}: {row.message}")
                    skipped += 1
                    continue
                best = int(row.probabilities.argmax())
                yield {
                    **({"line": row.line} if row.id is None else {"id": row.id}),
                    "label": names[best],
                    "confidence": round(float(row.probabilities[best]), 6),
                    "probabilities": {n: round(float(p), 6) for n, p in zip(names, row.probabilities, strict=True)},
                }

        emit_records(records(), ["id", "line", "label", "confidence"], as_json, as_jsonl)
    if skipped:
        talk(f"{skipped} rows could not be used")
