"""``mollia bench``: speed on this machine."""

from dataclasses import asdict
from typing import Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import JsonOption, ThreadsOption, emit_json, limit_option, source_of, table
from mollia_cli.domain.printable import count

app = typer.Typer(no_args_is_help=True, help="Speed on this machine.")

_SHOWN = (
    ("texts_per_s", "texts per second"),
    ("new_tokens_per_text", "tokens decoded per text"),
    ("extra_tokens_per_text", "  of them for labels and votes"),
    ("tokens_per_s", "tokens per second"),
    ("ceiling_tokens_per_s", "ceiling: tokens per second of 512-token batches"),
    ("ratio", "ratio of the two"),
    ("threads", "threads"),
    ("load_seconds", "seconds to load"),
    ("peak_rss_mb", "peak memory (MB)"),
    ("mean_mass", "probability on the labels"),
)


@app.callback()
def group() -> None:
    """Keeps ``annotate`` a word of its own though it is the only one."""


@app.command()
def annotate(
    model: Annotated[str, typer.Argument(help="An installed LLM or a GGUF file.", autocompletion=complete.models)],
    file: Annotated[
        str, typer.Argument(help="A file of texts with labels; - reads standard input. Default: the demo's messages.")
    ] = "",
    limit: Annotated[int, limit_option("At most so many texts of the file, drawn at random; 0 for all.")] = 500,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure annotation (label scores and ten votes) against this model file's own ceiling.

    The ceiling is the speed of plain 512-token batches, measured in between on the same threads.

    Example: mollia bench annotate smollm2-135m-instruct --limit 200
    """
    from mollia_cli.machine.bench import bench

    found = bench(model, source_of(file)[0] if file else None, limit, threads or 0)
    if as_json:
        emit_json(asdict(found))
        return
    table(
        [f"{found.model} ({found.format})", count(found.texts, "text")],
        [[words, getattr(found, key)] for key, words in _SHOWN],
    )
