"""--help: fast, light, and complete."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mollia_cli.cli.main import COMMANDS as GROUPS
from mollia_cli.cli.main import app
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.settings import Settings
from mollia_cli.insight.choices import FAMILIES
from mollia_cli.readers import FORMATS

HEAVY = {"torch", "transformers", "llama_cpp", "xgboost", "pandas", "sklearn", "scipy", "sqlite_utils"}
HEAVY |= {"numpy.random", "textual", "importlib.metadata"}
COMMANDS = [
    *(["init"], ["import"], ["annotate"], ["aggregate"], ["select"], ["train"], ["round"], ["run"], ["status"]),
    *(["label"], ["review"], ["rerun"], ["verify"], ["explain"], ["forget"], ["merge"]),
    *(["estimate"], ["generate"], ["evaluate"], ["compare"], ["config"], ["predict"], ["demo"], ["doctor"]),
    *(["bench", "annotate"], ["imports", "list"], ["imports", "undo"], ["move"], ["duplicates"]),
    *(["labels", name] for name in ("list", "add", "rename", "merge", "remove")),
    *(["choices"], ["runs", "list"], ["runs", "delete"], ["sql"], ["bundle"], ["unbundle"], ["engine", "certificates"]),
    *(
        ["models", "list"],
        ["models", "pull"],
        ["models", "add"],
        ["models", "tune"],
        ["models", "check"],
        ["models", "remove"],
    ),
    *(["panel", "list"], ["panel", "add"], ["panel", "remove"], ["prompt", "show"]),
    *(["report"], ["report", "panel"], ["report", "detectors"]),
    *(["export", "labels"], ["export", "dataset"], ["export", "model"]),
]


def mollia(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from mollia_cli.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from mollia_cli.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stderr.strip().splitlines()[-1]))
    assert not loaded & HEAVY
    assert "mollia_cli.cli.rounds" in loaded


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0, done.stderr
    assert "Example: " in done.stdout
    assert not done.stderr


def test_the_list_of_commands_is_complete() -> None:
    names = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    assert set(names) == {command[0] for command in COMMANDS}


def test_the_help_has_its_groups_and_every_command_in_one() -> None:
    assert list(GROUPS) == ["Start", "Label", "Learn", "Look", "Models", "Trust"]
    shown = CliRunner().invoke(app, ["--help"]).stdout
    places = [re.search(rf"^{group}:$", shown, re.MULTILINE) for group in GROUPS]
    assert all(places) and "Commands:" not in shown
    listed = re.findall(r"^  ([a-z]+)  ", shown[places[0].start() :], re.MULTILINE)  # type: ignore[union-attr]
    assert listed == [name for members in GROUPS.values() for name in members]
    assert sorted(listed) == sorted({command[0] for command in COMMANDS})


def test_a_mistyped_command_is_an_error_with_a_suggestion() -> None:
    done = mollia("anotate")
    assert done.returncode == 2
    assert "annotate" in done.stderr


def test_everything_that_can_be_chosen_is_listed() -> None:
    done = mollia("choices")
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert list(dict.fromkeys(record["family"] for record in listed)) == list(FAMILIES)
    assert [record for record in listed if record["family"] == "stopping"] == json.loads(
        mollia("choices", "stopping").stdout
    )
    assert all(record["summary"] and record["package"] == "mollia 0.1.0" for record in listed)
    default = Settings(LabelSet(("a", "b")))
    used = {record["family"]: record["name"] for record in listed if record["default"]}
    assert used == {
        **{"strategies": default.run.strategy, "aggregators": default.aggregate.aggregator},
        **{
            "annotators": "llama",
            "engines": default.annotate.engine,
            "learners": default.learner.name,
            "stopping": default.run.stop,
        },
    }
    assert {record["name"] for record in listed if record["family"] == "readers"} == set(FORMATS)
    wrong = mollia("choices", "strategy")
    assert wrong.returncode == 2 and "'strategy'" in wrong.stderr and "strategies, aggregators" in wrong.stderr


def test_a_clash_of_packages_is_an_error_of_the_list_and_none_of_completion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mollia_cli.cli import complete

    info = tmp_path / "acme-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.2\n", encoding="utf-8")
    points = info / "entry_points.txt"
    points.write_text("[mollia.strategies]\nmine = nowhere:Mine\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.syspath_prepend(str(tmp_path))
    listed = json.loads(mollia("choices", "strategies").stdout)
    mine = {"family": "strategies", "name": "mine", "default": False, "package": "acme 1.2", "summary": ""}
    assert listed[-1] == mine
    assert {record["package"] for record in listed[:-1]} == {"mollia 0.1.0"}
    assert complete.strategies("mi") == [("mine", "")]

    points.write_text("[mollia.strategies]\ncoreset = nowhere:Mine\n", encoding="utf-8")
    done = mollia("choices", "strategies")
    assert (done.returncode, done.stdout) == (4, "")
    assert "acme 1.2" in done.stderr and "pip uninstall acme" in done.stderr and "Traceback" not in done.stderr
    assert complete.strategies("co") == []
