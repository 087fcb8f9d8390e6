"""Every command line that the documentation shows is one that the program takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mollia_cli.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(r"^\$ (.*mollia .*)$|`(mollia [^`]+)`", re.MULTILINE)
UNFINISHED = re.compile(r"^Missing |requires an argument")  # where prose only names a command or an option
PLACEHOLDER = "COMMAND"
UsageError: Any = typer.BadParameter.__base__  # typer has its own click


def command_lines(page: Path) -> Iterator[tuple[list[str], bool]]:
    """The words of each call of mollia without what a shell does around it, and whether it is one to be typed."""
    text = page.read_text(encoding="utf-8").replace("\\\n", "")  # lines that go on
    for found in SHOWN.finditer(text):
        lexer = shlex.shlex(found[1] or found[2], posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split, lexer.commenters = True, "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("|&;<>"):
                if words[:1] == ["mollia"] and PLACEHOLDER not in words:
                    yield words, bool(found[1])
                words = []
            else:
                words.append(word)


def check(words: list[str]) -> None:
    """Raise UsageError unless the command exists and takes these arguments and options."""
    command: Any = typer.main.get_command(app)
    rest = words[1:]
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    if rest and not rest[0].startswith("-") and hasattr(command, "commands"):
        raise UsageError(f"no command is called {rest[0]!r}")
    if rest not in ([], ["--help"], ["--version"]) or not hasattr(command, "commands"):
        command.make_context(words[0], rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_parses(page: Path) -> None:
    wrong = []
    for words, typed in command_lines(page):
        try:
            check(words)
        except UsageError as error:
            message = error.format_message()
            if typed or not UNFINISHED.search(message):
                wrong.append(f"{shlex.join(words)}: {message}")
    assert not wrong


def test_what_does_not_parse_is_found() -> None:
    check(shlex.split("mollia run --rounds 2 --stop agreement"))
    check(shlex.split("mollia report -o report.html"))
    for line in (
        "mollia rum",
        "mollia run --round 2",
        "mollia import",
        "mollia aggregate --threshold 7",
        "mollia report all",
    ):
        with pytest.raises(UsageError):
            check(shlex.split(line))
