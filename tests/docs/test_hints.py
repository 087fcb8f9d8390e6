"""What the program's own messages, hints, help and docstrings tell to type is something that it takes."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

import mollia_cli
from mollia_cli.cli.main import app

ROOT = Path(mollia_cli.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# A command line ends where a shell's next command begins, or prose that is no part of it.
CALL = re.compile(r"(?P<before>.{0,9})\bmollia (?P<words>[a-z][^`|;&()\n]*)", re.DOTALL)
NEXT = re.compile(r"\bmollia |[.,:] |\s(?:or|and|with|without|to|use)\s")
OPTION = re.compile(r"(?<![\w<-])-(?:[a-z]\b|-[a-z][a-z-]*)")
TYPED = re.compile(r"(?:`|: |\bor |^)$")  # before what is to be typed, and not about mollia
ABOUT = {"has", "is", "itself", "reads", "starts", "was", "writes"}  # mollia ... in prose at a text's beginning
CALLERS = {"annotators/llama/guard/build.py", "machine/nodes.py", "models/tools.py", "models/unbundle.py"}  # of others
FOREIGN = re.compile(
    r"\b(?:pip|uv|cmake|python3?|prog|sysctl|ldd|jq|iconv|textcat.manual|dask worker)\b[^`]*"
)  # other programs have theirs


def texts(path: Path) -> Iterator[str]:
    """Every string of a file, docstrings too; what an f-string fills in is 7, a number and a name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield node.value


@cache
def program() -> Any:
    return typer.main.get_command(app)


def taken(command: Any) -> set[str]:
    """The options of a command."""
    return {word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


@cache
def all_taken() -> set[str]:
    """The options of all commands."""
    found, left = set[str](), [program()]
    while left:
        command = left.pop()
        found |= taken(command)
        left += getattr(command, "commands", {}).values()
    return found


def wrong(text: str) -> Iterator[str]:
    """Commands and options that a text tells to type and the program does not take."""
    for call in CALL.finditer(text):
        words = NEXT.split(call["words"], maxsplit=1)[0].split()
        command, at = program(), 0
        while at < len(words) and words[at].strip(".,:'\"") in getattr(command, "commands", {}):
            command, at = command.commands[words[at].strip(".,:'\"")], at + 1
        if command is program():
            if TYPED.search(call["before"]) and words[0] not in ABOUT:
                yield f"mollia {words[0]}: no such command"
            continue
        name = " ".join(["mollia", *words[:at]])
        for option in OPTION.findall(" ".join(words[at:])):
            if option not in taken(command):
                yield f"{name} {option}: no such option"


def unknown(text: str) -> Iterator[str]:
    """Options that a text names, of whatever command, and no command takes."""
    for option in OPTION.findall(FOREIGN.sub("", text)):
        if option.startswith("--") and option not in all_taken():
            yield f"{option}: no command has it"


def test_what_messages_tell_to_type_is_taken() -> None:
    found = []
    for path in FILES:
        name = path.relative_to(ROOT).as_posix()
        for text in texts(path):
            found += [f"{name}: {line}" for line in (*wrong(text), *(() if name in CALLERS else unknown(text)))]
    assert not found, "\n".join(found)


def test_they_are_found() -> None:
    calls = [call for path in FILES for text in texts(path) for call in CALL.finditer(text)]
    assert len(calls) > 200


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("train it again: mollia run --run NEW", []),
        ("train it again: mollia run --name NEW", ["mollia run --name: no such option"]),
        ("mollia label --seed 7 (or: mollia import labelled.csv --as seed)", ["mollia import --as: no such option"]),
        ("`mollia aggregate --with da` replaces words", ["mollia aggregate --with: no such option"]),
        ("label some, or use --with vote", []),
        ("to see them: mollia strategies", ["mollia strategies: no such command"]),
        ("`mollia models purge`", []),
        ("mollia has written it", []),
        ("mollia select -n 5 | mollia annotate - -m 1", ["mollia annotate -m: no such option"]),
        ("as `mollia select --jsonl` prints them", ["mollia select --jsonl: no such option"]),
    ],
)
def test_what_is_not_taken_is_found(text: str, found: list[str]) -> None:
    assert list(wrong(text)) == found


def test_an_option_that_no_command_has_is_found() -> None:
    assert list(unknown("use one that needs none: --with vote")) == ["--with: no command has it"]
    assert list(unknown("install it: pip install --upgrade x")) == []
