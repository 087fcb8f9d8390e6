"""Pages that follow from the program: every command's help, and every key of mollia.toml.

``python -m mollia_cli.cli.docs > docs/commands.md``; ``python -m mollia_cli.cli.docs settings > docs/settings.md``
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import typer

from mollia_cli.cli.main import app
from mollia_cli.domain.declared import keys
from mollia_cli.domain.settings import PAPER, SECTIONS, Settings
from mollia_cli.project.names import members

_WIDTH = 100
_HEAD = """# Commands

The help of every command, as the program prints it. Made by `python -m mollia_cli.cli.docs > docs/commands.md`;
a test checks that it is up to date.
"""
_SETTINGS_HEAD = """# Settings

The keys of a project's `mollia.toml`, which `mollia init` writes with the same remarks. Every key is optional except
the labels; an unknown key, or a value that cannot be, is an error that names it. `[run]` and `[aggregate]` are also
options of `mollia run` (`budget_tokens` is `--budget-tokens`) and arguments of `Project.run`. "paper": what `--paper`
sets ([methods.md](methods.md#the-papers-loop)). Made by `python -m mollia_cli.cli.docs settings > docs/settings.md`; a
test checks that it is up to date.

`[labels]` maps each label to what it means, which may be empty: `spam = "advertisements"`.
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


def settings_page() -> str:
    """docs/settings.md."""
    parts = [_SETTINGS_HEAD]
    for name, section in {"": Settings, **SECTIONS}.items():
        title = f"## [{name}]\n\n{section.__doc__}\n" if name else "## At the top\n"
        rows = [
            f"| `{key.name}` | `{json.dumps(key.default)}` | {_paper(name, key.name)} | {key.remark(members(key))} |"
            for key in keys(section).values()
            if key.description
        ]
        parts.append("\n".join([title, "| key | default | paper | what it is |", "|---|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _paper(section: str, key: str) -> str:
    """The paper's value of a setting; "" where the paper has none."""
    values = PAPER.get(section, {})
    return f"`{json.dumps(values[key])}`" if key in values else ""


if __name__ == "__main__":
    print(settings_page() if sys.argv[1:] == ["settings"] else page(), end="")
