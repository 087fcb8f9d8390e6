"""``mollia generate``."""

from typing import Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import (
    JsonLinesOption,
    ProjectOption,
    ThreadsOption,
    emit_stream,
    limit_option,
    open_project,
    talk,
)


def generate(
    label: Annotated[str, typer.Option(help="The label to write texts of.", autocompletion=complete.labels)],
    limit: Annotated[int, limit_option("At most so many texts.", least=1)] = 50,
    model: Annotated[
        str,
        typer.Option(help="One LLM of the panel, which writes. Default: the largest.", autocompletion=complete.models),
    ] = "",
    threads: ThreadsOption = None,
    project: ProjectOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Have an LLM write texts of a rare label.

    In the style of the label's seed items. What is like a text of the project is thrown away. Synthetic
    texts are never part of a split; `mollia run --synthetic` trains on them, nothing else uses them.

    Example: mollia generate --label complaint -n 50
    """
    from mollia_cli.loop.generate import generate as write

    with open_project(project, threads) as opened:
        done = write(opened, label, limit, model)
    records = [
        {"id": t.id, "text": t.text, "label": label, "source": "synthetic", "writer": t.writer} for t in done.texts
    ]
    emit_stream(records, ["id", "label", "text"], as_json)
    talk(f"{len(records)} of {limit} texts; thrown away: {done.similar} like others, {done.short} too short")
