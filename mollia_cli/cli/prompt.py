"""``mollia prompt``: what the LLMs read."""

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

    Example: mollia prompt show --model smollm2-135m-instruct
    """
    if item and text:
        excluded("--text", f"the id {item}", "each says which text is shown")
    from mollia_cli.project.panel import preview

    with open_project(project) as opened:
        prompts = preview(opened, item, text, [model] if model else [])
        if as_json:
            emit_list(({"model": name, "prompt": seen} for name, seen in prompts), ["model", "prompt"], as_json)
            return
        for name, seen in prompts:
            talk(f"--- {name} reads:")
            emit(seen)
