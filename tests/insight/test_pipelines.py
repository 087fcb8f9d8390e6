"""The contract of every command in a pipeline: pure stdout, JSON when asked, quiet when asked or when nobody reads."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mollia_cli
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.project.context import Project

# Commands of one result: what they say goes to stderr, or into the files that they write.
NO_TABLE = {
    *("review", "label"),
    *("init", "models remove", "panel add", "panel remove"),
    *("export labels", "export dataset", "export model"),
}
# Files that are written, or kept by their place, or named together with others: - cannot stand for them.
NO_STREAM = {
    *("models add path", "models add name"),
    *("init panel", "bench annotate model", "bench annotate limit", "panel add names", "panel remove names"),
    *("select where", "review where", "export labels where"),
    *("round replay", "run replay", "estimate replay"),
}

PRINTS = {
    **{"status": [], "panel list": [], "models list": [], "models check": [], "doctor": []},
    **{"choices": [], "runs list": [], "aggregate": ["--aggregator", "vote"], "sql": ["select * from items limit 3"]},
    **{"select": ["--strategy", "random", "-n", "2"], "evaluate": ["--split", "seed"], "annotate": ["-"]},
    **{"export labels": []},
}
STREAMS = {"select", "annotate", "aggregate"}  # --json prints lines; tests/cli/test_json.py has all commands


def leaves(command: Any, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command by the words that call it."""
    if not hasattr(command, "commands"):
        return {" ".join(words): command}
    return {k: v for name, sub in command.commands.items() for k, v in leaves(sub, (*words, name)).items()}


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    import typer

    from mollia_cli.cli.main import app

    return leaves(typer.main.get_command(app))


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def test_every_command_that_prints_has_json(commands: dict[str, Any]) -> None:
    assert {name for name, command in commands.items() if "--json" not in options(command)} == NO_TABLE


def test_every_file_that_is_read_may_be_standard_input(commands: dict[str, Any]) -> None:
    silent = {
        f"{name} {parameter.name}"
        for name, command in commands.items()
        for parameter in command.params
        if re.search(r"\bfiles?\b", parameter.help or "")
        and "standard input" not in parameter.help
        and not {"--out", "--format"} & {*parameter.opts}
    }
    assert silent == NO_STREAM


class Piped:
    """Commands on a project, run as ``piped.py`` runs them."""

    def __init__(self, root: Path, home: Path) -> None:
        self._environment = {
            **os.environ,
            **{"PYTHONPATH": str(Path(mollia_cli.__file__).parents[1]), "MOLLIA_PROJECT": str(root)},
            **{"MOLLIA_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "60"},
        }

    def __call__(self, *commands: dict[str, Any]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("piped.py"))],
            input="\n".join(map(json.dumps, commands)),
            timeout=300,
            capture_output=True,
            text=True,
            check=True,
            env=self._environment,
        )
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(found) == len(commands)
        return found


@pytest.fixture
def mollia(observed: Project, tmp_path: Path) -> Piped:
    aggregate(observed, "vote", observed.store.items.ids("pool")[:20])
    return Piped(observed.root, tmp_path / "home")


def arguments(name: str, *more: str) -> list[str]:
    return [*name.split(), *PRINTS[name], *more]


@pytest.mark.proof
def test_what_is_printed_can_be_parsed(mollia: Piped, commands: dict[str, Any]) -> None:
    asked = []
    for name in PRINTS:
        for option in sorted(options(commands[name]) & {"--json", "--csv"}) or [""]:
            asked.append((name, option, ["--quiet", *arguments(name, *filter(None, [option]))]))
    found = mollia(*({"arguments": words, "stdin": "i000\ni001\n"} for _, _, words in asked))
    for (name, option, _), done in zip(asked, found, strict=True):
        where = f"{name} {option}: {done['stderr']}"
        assert done["status"] == 0, where
        assert not done["stderr"], where
        if option == "--json" and name not in STREAMS:
            json.loads(done["stdout"])
        elif option == "--csv":
            assert len(list(csv.DictReader(io.StringIO(done["stdout"], newline="")))) == 3
        else:
            assert all(isinstance(json.loads(line), dict) for line in done["stdout"].splitlines()), where


@pytest.mark.proof
def test_nobody_reads(mollia: Piped) -> None:
    asked = {name: arguments(name) for name in PRINTS} | {"help": ["--help"], "help of one": ["run", "--help"]}
    found = mollia(*({"arguments": words, "stdin": "i000\n", "closed": True} for words in asked.values()))
    for name, done in zip(asked, found, strict=True):
        assert done["status"] == 0, f"{name}: {done}"
        assert "rror" not in done["stderr"] and "Broken" not in done["stderr"], f"{name}: {done['stderr']}"


def test_many_lines_and_a_reader_that_goes(mollia: Piped) -> None:
    found = mollia(
        {"arguments": ["export", "labels", "--format", "csv"], "closed": True},
        {"arguments": ["sql", "select * from observations", "--csv"], "closed": True},
        {"arguments": ["export", "labels", "--format", "parquet"], "closed": True},
    )
    assert [done["status"] for done in found] == [0, 0, 0], found


def test_tables_keep_to_the_columns_given(mollia: Piped) -> None:
    (done,) = mollia({"arguments": ["status"]})
    drawn = [line for line in done["stdout"].splitlines()[1:] if line.startswith(" ") and " " in line.strip()]
    assert len(drawn) > 5 and max(map(len, drawn)) <= 60
    assert "\x1b" not in done["stdout"]


def test_standard_input_for_files(mollia: Piped, tmp_path: Path) -> None:
    made = str(tmp_path / "made")
    found = mollia(
        {"arguments": ["import", "-", "--format", "csv"], "stdin": "text,label\n'=1+1,red\n"},
        {"arguments": ["sql", "-"], "stdin": "select text from items where split = 'pool' order by position desc"},
        {"arguments": ["init", made, "--labels-from", "-"], "stdin": "label,description\nham,fine\nspam,not\n"},
        {"arguments": ["status", "-p", made, "--json"]},
        {"arguments": ["annotate", "nofile.txt"]},
        {"arguments": ["annotate", "-"], "stdin": "nobody\n"},
    )
    assert [done["status"] for done in found] == [0, 0, 0, 0, 3, 3], found
    assert json.loads(found[1]["stdout"])[0] == {"text": "=1+1"}
    assert json.loads(found[3]["stdout"])["labels"] == ["ham", "spam"]
    assert "no file is called nofile.txt" in found[4]["stderr"]
