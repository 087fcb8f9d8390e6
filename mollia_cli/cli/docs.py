"""``python -m mollia_cli.cli.docs > docs/commands.md``: every command's help as a page."""

from collections.abc import Iterator
from typing import Any

import typer

from mollia_cli.cli.main import app

_WIDTH = 100
_HEAD = """# Commands

The help of every command, as the program prints it. Made by `python -m mollia_cli.cli.docs > docs/commands.md`;
a test checks that it is up to date.
"""


def page() -> str:
    """The page, ending in a newline."""
    parts = [_HEAD]
    for name, text in helps(typer.main.get_command(app), "mollia"):
        parts.append(f"## {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def helps(command: Any, name: str, parent: Any = None) -> Iterator[tuple[str, str]]:
    """(name, help) of a command and of those below it, in their order."""
    width = {"terminal_width": _WIDTH, "max_content_width": _WIDTH}
    context = command.make_context(name.split()[-1], [], parent, resilient_parsing=True, **width)
    lines = command.get_help(context).strip().splitlines()
    yield name, "\n".join(line.rstrip() for line in lines)
    for child in command.list_commands(context) if hasattr(command, "commands") else ():
        yield from helps(command.commands[child], f"{name} {child}", context)


if __name__ == "__main__":
    print(page(), end="")
