"""``mollia prompt``: what the LLMs read."""

from typing import Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import ProjectOption, emit, open_project, talk
from mollia_cli.domain.printable import printable_json

app = typer.Typer(no_args_is_help=True, help="What the LLMs read.")


@app.command()
def show(
    item: Annotated[str, typer.Argument(help="An item's id. Default: the first item of the pool.")] = "",
    text: Annotated[str, typer.Option(help="Any text, instead of an item's.")] = "",
    model: Annotated[
        str, typer.Option(help="One LLM of the panel. Default: all of them.", autocompletion=complete.models)
    ] = "",
    project: ProjectOption = None,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a line.")] = False,
) -> None:
    """Print exactly what each LLM of the panel will see, its chat template included.

    Example: mollia prompt show --model smollm2-135m-instruct
    """
    from mollia_cli.project.panel import preview

    with open_project(project) as opened:
        for name, seen in preview(opened, item, text, [model] if model else []):
            if as_jsonl:
                emit(printable_json({"model": name, "prompt": seen}))
                continue
            talk(f"--- {name} reads:")
            emit(seen)
