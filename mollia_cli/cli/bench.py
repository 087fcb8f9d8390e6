"""``mollia bench``: speed on this machine."""

from dataclasses import asdict
from typing import Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import JsonOption, emit_json, source_of, table

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
    texts: Annotated[
        str, typer.Option(help="A file of texts with labels; - reads standard input. Default: the demo's messages.")
    ] = "",
    limit: Annotated[int, typer.Option(help="So many texts of the file, drawn at random; 0 for all.", min=0)] = 500,
    threads: Annotated[int, typer.Option("--threads", help="CPU threads; 0 measures.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure annotation (label scores and ten votes) against this model file's own ceiling.

    The ceiling is the speed of plain 512-token batches, measured in between on the same threads.

    Example: mollia bench annotate smollm2-135m-instruct --limit 200
    """
    from mollia_cli.machine.bench import bench

    found = bench(model, source_of(texts)[0] if texts else None, limit, threads)
    if as_json:
        emit_json(asdict(found))
        return
    table(
        [f"{found.model} ({found.format})", f"{found.texts} texts"],
        [[words, getattr(found, key)] for key, words in _SHOWN],
    )
