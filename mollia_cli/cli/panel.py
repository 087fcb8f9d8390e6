"""``mollia panel``: who annotates."""

from dataclasses import asdict
from typing import Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import JsonListOption, ProjectOption, emit_list, open_project, talk
from mollia_cli.domain.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Who annotates: list, add, remove.")
Names = Annotated[list[str], typer.Argument(help="Names or GGUF files.", autocompletion=complete.models)]


@app.command("list")
def list_(project: ProjectOption = None, as_json: JsonListOption = False) -> None:
    """Show the panel and what it has annotated.

    Example: mollia panel list
    """
    from mollia_cli.insight.status import status

    with open_project(project, several=True) as opened:
        found = status(opened)
    rows = [
        {
            **asdict(member),
            "annotated": sum(a.items for a in found.annotators if a.name == member.name),
        }
        for member in found.panel
    ]
    emit_list(rows, ["name", "kind", "installed", "annotated"], as_json)


@app.command()
def add(
    names: Names,
    url: Annotated[str, typer.Option(help="Address of a server that has the LLM: http://127.0.0.1:8080.")] = "",
    server: Annotated[str, typer.Option(help="What the server is: llama-server, vllm or ollama.")] = "",
    served_model: Annotated[str, typer.Option(help="Which of the server's models.")] = "",
    project: ProjectOption = None,
) -> None:
    """Add LLMs to the panel: models of this machine, or one behind a server under a name of your own.

    Example: mollia panel add qwen2.5-coder-1.5b-instruct
    """
    if url or server or served_model:
        _add_server(names, {"url": url, "model": served_model}, server, project)
    else:
        _change(add=names, remove=[], project=project)


@app.command()
def remove(names: Names, project: ProjectOption = None) -> None:
    """Take members out of the panel; their observations stay in the project.

    Example: mollia panel remove smollm2-135m-instruct
    """
    _change(add=[], remove=names, project=project)


def _add_server(names: list[str], given: dict[str, str], kind: str, project: ProjectOption) -> None:
    if len(names) != 1 or not given["url"] or not kind:
        raise InputError(
            "a server's LLM has one name, --url and --server",
            "mollia panel add big --url http://127.0.0.1:8080 --server llama-server",
        )
    from mollia_cli.project.panel import add_server

    with open_project(project) as opened:
        members = add_server(opened, names[0], kind, {key: value for key, value in given.items() if value})
    talk(f"panel: {', '.join(member.name for member in members)}")


def _change(add: list[str], remove: list[str], project: ProjectOption) -> None:
    from mollia_cli.project.panel import change_panel

    with open_project(project, several=True) as opened:
        members = change_panel(opened, add, remove)
    talk(f"panel: {', '.join(member.name for member in members) or 'empty'}")
