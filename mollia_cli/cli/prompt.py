"""``mollia prompt``: what the LLMs read."""

from itertools import chain
from typing import Annotated

import typer

from mollia_cli.cli.common import (
    JsonListOption,
    ModelOption,
    ProjectOption,
    emit,
    emit_list,
    excluded,
    open_project,
    talk,
)

app = typer.Typer(no_args_is_help=True, help="What the LLMs read.")


@app.command()
def show(
    item: Annotated[str, typer.Argument(help="An item's id. Default: the first item of the pool.")] = "",
    text: Annotated[str, typer.Option(help="Any text, instead of an item's.")] = "",
    model: ModelOption = "",
    project: ProjectOption = None,
    as_json: JsonListOption = False,
) -> None:
    """Print exactly what each LLM of the panel will see, its chat template included.

    Where a text may have several labels: the question about each of them.

    Example: mollia prompt show --model smollm2-135m-instruct
    """
    if item and text:
        excluded("--text", f"the id {item}", "each says which text is shown")
    from mollia_cli.project.panel import preview
    from mollia_cli.project.questions import by_question

    with open_project(project, several=True) as opened:
        asked = by_question(opened)
        prompts = chain.from_iterable(preview(each, item, text, [model] if model else []) for each in asked)
        if as_json:
            emit_list(({"model": name, "prompt": seen} for name, seen in prompts), ["model", "prompt"], as_json)
            return
        for name, seen in prompts:
            talk(f"--- {name} reads:")
            emit(seen)
