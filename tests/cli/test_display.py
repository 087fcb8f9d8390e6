"""Texts, labels and names of other people's making, on a terminal: shown, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mollia_cli

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")

# one process for all: what the commands print is looked at, not how they start
PROGRAM = """
import json, sys
from mollia_cli.cli.main import main
for command in json.loads(sys.argv[1]):
    sys.argv = ["mollia", *command]
    try:
        main()
    except SystemExit:
        pass
"""
TITLE, CSI, BIDI, RED = "\x1b]0;owned\x07", "\x9b2J", "\u202e", "[red]"
TEXT = f"hello {TITLE}{CSI}{BIDI} world {RED}"


def on_terminal(folder: Path, *commands: list[str]) -> str:
    """What a person's terminal gets of the commands' output and remarks."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(mollia_cli.__file__).parents[1]), "TERM": "xterm"}
    environment |= {"COLUMNS": "200", "PYTHONUTF8": "1", "MOLLIA_HOME": str(folder / "home")}
    command = [sys.executable, "-c", PROGRAM, json.dumps(commands)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment)
    os.close(theirs)
    said = b""
    try:
        while block := os.read(ours, 1 << 16):
            said += block
    except OSError:  # Linux says so at the end
        pass
    process.wait()
    os.close(ours)
    return said.decode("utf-8")


def test_nothing_that_is_shown_steers_the_terminal(tmp_path: Path) -> None:
    label = f"a{BIDI}{chr(0x9B)}b"
    (tmp_path / "in.jsonl").write_text(
        "\n".join(json.dumps({"text": f"{n} {TEXT}", "label": label, "id": f"i{n}{CSI}"}) for n in range(3))
    )
    (tmp_path / f"no{TITLE}{CSI}.csv").write_text("other\nx\n")
    said = on_terminal(
        tmp_path,
        ["init", ".", "--labels", f"{label},{RED}"],
        ["import", "in.jsonl", "--split", "seed"],
        ["import", f"no{TITLE}{CSI}.csv"],
        ["status"],
        ["status", "--json"],
        ["sql", "select id, text from items"],
        ["sql", "select id, text from items", "--csv"],
        ["sql", "select id, text from items", "--json"],
        ["sql", f"select 1 as '{BIDI}{RED}'"],
        ["export", "labels"],
        ["export", "labels", "--format", "csv"],
        ["select", "--model", f"x{CSI}"],
        ["annotate", "--id", f"nobody{TITLE}"],
        ["panel", "add", f"/none/{TITLE}{CSI}.gguf"],
    )
    for steering in (TITLE, "\x07", "\x9b", BIDI, "\x1b]"):
        assert steering not in said
    assert said.count("\\u202e") > 15 and RED in said
    assert '\\u009b2J"' in said  # JSON stays JSON


def test_in_a_pipe_the_data_are_exact(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": TEXT, "label": "a"}))
    commands = [["init", ".", "--labels", "a,b"], ["import", "in.jsonl", "--split", "seed"]]
    commands += [["export", "labels", "-o", "out.csv"], ["export", "labels"], ["export", "labels", "--format", "csv"]]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        **{"cwd": tmp_path, "capture_output": True, "check": True},
        env={**os.environ, "PYTHONPATH": str(Path(mollia_cli.__file__).parents[1]), "PYTHONUTF8": "1"},
    )
    records, _, table = done.stdout.decode().partition("\n")
    assert json.loads(records)["text"] == TEXT
    assert TEXT in table and TEXT in (tmp_path / "out.csv").read_text(encoding="utf-8")
