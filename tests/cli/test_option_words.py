"""One vocabulary of options: a name means the same in every command, and what is meant has one name."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import typer

from mollia_cli.cli.main import app

# Options whose help says more in some commands: what it holds in all of them.
STEMS = {
    "--format": "The file's format",
    "--json": "Print ",
    "--limit": "At most so many ",
    "--model": "One LLM of the panel",
    "--out": "Write ",
    "--raw": "CSV cells as they are",
    "--strategy": "The query strategy",
    "--synthetic": "the texts of `mollia generate`, too",
    "--target-precision": "have this accuracy",
}
# What is not said, and what is said instead; the commands in which the word means something else.
FORBIDDEN: dict[str, tuple[str, set[str]]] = {
    "--name": ("--run", {"mollia models add"}),  # there it is a model's
    "--with": ("--aggregator", set()),
    "--sure": ("--threshold", set()),
    "--as": ("--split", set()),
    "--seed": ("--random-seed", {"mollia label"}),  # there it is the seed set
    **{word: ("--limit", set()) for word in ("--n", "--number", "--count", "--max", "--top", "--size", "--texts")},
    **{word: ("--out", set()) for word in ("--output", "--svg", "--file", "--to")},
    **{word: ("--json", set()) for word in ("--jsonl", "--nl", "--ndjson")},
    **{word: ("--yes", set()) for word in ("--force", "--assume-yes", "--no-confirm")},
}
SHORT = {"-n": "--limit", "-o": "--out", "-p": "--project", "-q": "--quiet", "-h": "--help"}


def options(command: Any, name: str = "mollia") -> Iterator[tuple[str, Any]]:
    """(command, option) of every option of a command and of those below it."""
    for parameter in command.params:
        if parameter.param_type_name == "option":
            yield name, parameter
    for child, below in getattr(command, "commands", {}).items():
        yield from options(below, f"{name} {child}")


def findings(program: typer.Typer) -> Iterator[str]:
    """What is wrong with a program's vocabulary, a line each."""
    by_word: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for command, option in options(typer.main.get_command(program)):
        if not option.help:
            yield f"{command} {option.opts[-1]} says nothing"
            continue
        by_word[longest(option)].append((command, option))
        for word in option.opts:
            instead, allowed = FORBIDDEN.get(word, ("", {command}))
            if command not in allowed and not option.is_flag:
                yield f"{command} {word}: say {instead}"
            if not word.startswith("--") and SHORT.get(word) != longest(option):
                yield f"{command} {word} is short for {longest(option)}, not for {SHORT.get(word)}"
    for word, uses in sorted(by_word.items()):
        first, example = uses[0]
        for command, option in uses:
            if kind(option) != kind(example):
                yield f"{word} is {kind(example)} in {first} and {kind(option)} in {command}"
            stem = STEMS.get(word)
            if stem is None and option.help != example.help:
                yield f"{word}: {first} says {example.help!r}, {command} {option.help!r}"
            if stem is not None and stem not in option.help:
                yield f"{word}: {command} says {option.help!r}, which does not hold {stem!r}"


def longest(option: Any) -> str:
    return str(max(option.opts, key=len))


def kind(option: Any) -> tuple[Any, ...]:
    """How an option is declared, apart from its help and its limits."""
    annotation = option.type_descriptor.annotation
    return tuple(option.opts), tuple(option.secondary_opts), getattr(annotation, "__name__", str(annotation))


def test_a_word_has_one_meaning_and_a_meaning_one_word() -> None:
    assert not list(findings(app))


def test_every_stem_is_needed() -> None:
    helps = defaultdict(set)
    for _, option in options(typer.main.get_command(app)):
        helps[longest(option)].add(option.help)
    assert {word for word in STEMS if len(helps[word]) < 2} == set()


def test_an_output_is_always_out() -> None:
    """A path that is written is --out: no argument and no other option of a command is."""
    written = re.compile(r"\bnew (folder|file|\.tar)\b|\b[Ww]rite\b.*\b(folder|file)\b")
    for command, parameter in parameters(typer.main.get_command(app)):
        kind = str(getattr(parameter.type_descriptor, "annotation", ""))
        if ("str" in kind or "Path" in kind) and written.search(parameter.help or ""):
            assert "--out" in parameter.opts or f"{command} {parameter.name}" in BESIDE, f"{command} {parameter.opts}"


# A second thing that a command writes, beside its page.
BESIDE = {"mollia report charts"}


def parameters(command: Any, name: str = "mollia") -> Iterator[tuple[str, Any]]:
    for parameter in command.params:
        yield name, parameter
    for child, below in getattr(command, "commands", {}).items():
        yield from parameters(below, f"{name} {child}")


@pytest.mark.parametrize(
    ("one", "other", "finding"),
    [
        (
            Annotated[str, typer.Option("--run", help="The run.")],
            Annotated[str, typer.Option("--run", help="A run.")],
            "--run: mollia one says 'The run.', mollia other 'A run.'",
        ),
        (
            Annotated[str, typer.Option("--round", help="The round.")],
            Annotated[int, typer.Option("--round", help="The round.")],
            "--round is (('--round',), (), 'str') in mollia one and (('--round',), (), 'int') in mollia other",
        ),
        (
            Annotated[int, typer.Option("-n", "--limit", help="At most so many items.")],
            Annotated[int, typer.Option("--limit", help="At most so many texts.")],
            "--limit is (('-n', '--limit'), (), 'int') in mollia one and (('--limit',), (), 'int') in mollia other",
        ),
        (
            Annotated[int, typer.Option("-n", "--limit", help="At most so many items.")],
            Annotated[int, typer.Option("-n", "--limit", help="How many texts.")],
            "--limit: mollia other says 'How many texts.', which does not hold 'At most so many '",
        ),
        (
            Annotated[str, typer.Option("--run", help="The run.")],
            Annotated[str, typer.Option("--name", help="The run.")],
            "mollia other --name: say --run",
        ),
        (
            Annotated[str, typer.Option("--run", help="The run.")],
            Annotated[str, typer.Option("-o", "--one", help="One.")],
            "mollia other -o is short for --one, not for --out",
        ),
    ],
)
def test_what_is_said_otherwise_is_found(one: Any, other: Any, finding: str) -> None:
    program = typer.Typer(add_completion=False)

    def first(value: Any = None) -> None: ...

    def second(value: Any = None) -> None: ...

    first.__annotations__["value"], second.__annotations__["value"] = one, other
    program.command("one")(first)
    program.command("other")(second)
    assert finding in list(findings(program))
