"""docs/extending.md, followed literally, its packages installed; docs/commands.md is what the program says."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mollia_cli.cli.docs import page, settings_page

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(\w+) ?([^\n]*)\n(.*?)```", re.DOTALL)
PROGRAMS = {
    "mollia": '-c "from mollia_cli.cli.main import main; main()"',
    "python": "",
    "pip": "-m pip --disable-pip-version-check",
}
# What is there already has to do: no network, and nothing is put into the environment that the tests run in.
OFFLINE = " --quiet --no-index --no-deps --no-build-isolation --target site"


def command(line: str, folder: Path) -> str:
    program, _, rest = line.partition(" ")
    if program in PROGRAMS:
        line = f'"{sys.executable}" {PROGRAMS[program]} {rest}'
    line += OFFLINE if program == "pip" else ""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder / "site"), str(ROOT)])}
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.proof
def test_extending_is_as_easy_as_it_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    printed: dict[str, str] = {}
    for kind, title, text in BLOCK.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8")):
        if kind == "console":
            printed |= {line[2:]: command(line[2:], tmp_path) for line in text.splitlines()}
        else:
            (tmp_path / title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / title).write_text(text, encoding="utf-8")
    assert "3 passed" in printed["python -m pytest mollia-extras examples/mollia-llm-selector"]
    listed = json.loads(printed["mollia choices strategies aggregators"])
    packages = {record["name"]: record["package"] for record in listed}
    theirs = {"ratio": "mollia-extras 0.1", "median": "mollia-extras 0.1", "llm": "mollia-llm-selector 0.1.0"}
    assert {name: package for name, package in packages.items() if package != packages["coreset"]} == theirs
    members = json.loads(printed["mollia panel list -p post"])
    assert [(member["name"], member["kind"]) for member in members] == [
        ("smollm2-135m-instruct", "llama"),
        ("words", "keywords"),
    ]
    said = [json.loads(line) for line in printed["mollia annotate -p post"].splitlines()]
    votes = {record["id"]: list(record["votes"].values()) for record in said if record["model"] == "words"}
    assert votes == {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [0.0, 0.0], "d": [1.0, 0.0]}
    assert len(said) == 2 * len(votes)
    for strategy in ("ratio", "llm"):
        (pick,) = [
            json.loads(line) for line in printed[f"mollia select -p post --strategy {strategy} -n 1"].splitlines()
        ]
        assert pick["id"] in {"c", "d"} and 0 < pick["score"] < 1
    verdicts = [json.loads(line) for line in printed["mollia aggregate -p post --aggregator median"].splitlines()]
    assert {verdict["id"] for verdict in verdicts} == {"c", "d"}


def test_the_page_of_commands_is_current() -> None:
    found = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert found == page(), "run: python -m mollia_cli.cli.docs > docs/commands.md"


def test_the_page_of_settings_is_current() -> None:
    found = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert found == settings_page(), "run: python -m mollia_cli.cli.docs settings > docs/settings.md"
