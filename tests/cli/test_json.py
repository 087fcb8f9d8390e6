"""--json: one object, an array of objects or JSON lines, by what a command is about (docs/scripting.md)."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from test_models import ENTRY, GGUF
from typer.testing import CliRunner

from mollia_cli.cli import common
from mollia_cli.cli.main import app
from mollia_cli.project.context import Project

OBJECT, ARRAY, LINES = "Print one JSON object.", "Print a JSON array of objects.", "Print JSON lines"
# Every command, as it is called here, in this order: what comes later needs what comes before.
CALLS = {
    "import": "in.jsonl",
    "imports list": "",
    "move": "ids.txt --split pool",
    "duplicates": "",
    "status": "",
    "config": "",
    "labels list": "",
    "panel list": "",
    "prompt show": "",
    "choices": "",
    "estimate": "--annotator oracle --strategy random --rounds 1",
    "run": "--rounds 1 --strategy random",
    "round": "--strategy random",
    "select": "--strategy random -n 3",
    "annotate": "--split seed -n 2",
    "merge": "project",
    "aggregate": "--aggregator vote",
    "train": "",
    "runs list": "",
    "predict": "in.jsonl",
    "evaluate": "--split seed",
    "report": "",
    "report panel": "",
    "report detectors": "",
    "compare": "",
    "sql": "select,id,from,items,limit,3",
    "explain": "new-1",
    "verify": "",
    "rerun": "main",
    "runs delete": "main --yes",
    "forget": "new-1 --yes",
    "imports undo": "5 --yes",
    "labels add": "other --yes",
    "labels rename": "other rest --yes",
    "labels merge": "rest billing --yes",
    "labels remove": "complaint --yes",
    "models pull": "tiny",
    "models list": "",
    "models check": "",
    "bundle": "-o models.tar",
    "unbundle": "models.tar",
    "models add": "some.gguf",
    "doctor": "",
    "engine certificates": "--host 127.0.0.1",
}
# Asked of real models, and read as JSON, elsewhere.
ELSEWHERE = {"demo", "bench annotate", "models tune", "generate"}
NO_PROJECT = {"choices", "models pull", "models list", "models check", "models add", "bundle", "unbundle"}


def shapes(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """(command, the help of its --json)."""
    for parameter in command.params:
        if "--json" in parameter.opts:
            yield " ".join(words), parameter.help
    for name, below in getattr(command, "commands", {}).items():
        yield from shapes(below, (*words, name))


def test_every_command_prints_what_its_help_says(
    make_project: Callable[..., Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = dict(shapes(typer.main.get_command(app)))
    assert set(told) == {*CALLS, *ELSEWHERE}
    root = str(make_project().root)
    (home := tmp_path / "home").mkdir()
    (tmp_path / "some.gguf").write_bytes(GGUF)
    entry = ENTRY.format(sha256=hashlib.sha256(GGUF).hexdigest(), path=tmp_path / "some.gguf")
    (home / "models.toml").write_text(entry)
    new = ("Is my scan back already?", "is my SCAN back already")
    lines = [json.dumps({"id": f"new-{number}", "text": text}) for number, text in enumerate(new, 1)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    (tmp_path / "ids.txt").write_text("new-2\n")
    monkeypatch.setenv("MOLLIA_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    for name, more in CALLS.items():
        words = [" ".join(part.split(",")) if name == "sql" else part for part in more.split()]
        where = [] if name in NO_PROJECT else ["-p", root]
        done = CliRunner().invoke(app, [*name.split(), *words, "--json", *where])
        assert isinstance(done.exception, SystemExit | None), f"{name}: {done.exception!r}"
        if told[name].startswith(LINES):
            assert done.stdout and all(isinstance(json.loads(line), dict) for line in done.stdout.splitlines()), name
        elif told[name] == ARRAY:
            found = json.loads(done.stdout)
            assert found and all(isinstance(record, dict) for record in found), name
        else:
            assert told[name] == OBJECT and isinstance(json.loads(done.stdout), dict), name


def test_a_list_has_the_keys_of_its_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    records = [{"a": 1, "b": "x", "more": None}, {"a": 2, "b": "y\x1b"}]
    common.emit_list(iter(records), ["b", "a"])
    assert [list(record.items()) for record in json.loads(capsys.readouterr().out)] == [
        [("b", "x"), ("a", 1)],
        [("b", "y\x1b"), ("a", 2)],
    ]
    common.emit_list([], ["b", "a"], as_json=True)
    assert capsys.readouterr().out == "[]\n"
    common.emit_stream(iter(records), ["b", "a"])
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == records
    monkeypatch.setattr(common.sys.stdout, "isatty", lambda: True)
    tables: list[list[Any]] = []
    monkeypatch.setattr(common, "table", lambda columns, rows: tables.append([columns, *rows]))
    common.emit_list(iter(records), ["b", "a"])
    common.emit_stream(iter(records), ["b", "a"])
    assert tables == [[["b", "a"], ["x", 1], ["y\x1b", 2]]] * 2
