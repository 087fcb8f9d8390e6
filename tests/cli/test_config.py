"""mollia config: what is set and where from; mollia compare: curves as text."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mollia_cli.cli.chart import bar, curve_lines
from mollia_cli.cli.main import app
from mollia_cli.domain.declared import keys
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.report import Curve, Point
from mollia_cli.domain.settings import SECTIONS
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project


def settings(root: Path, *options: str) -> dict[str, dict[str, Any]]:
    done = CliRunner().invoke(app, ["config", "-p", str(root), *options])
    assert done.exit_code == 0, done.output
    return {row["key"]: row for row in json.loads(done.stdout)}


def test_every_setting_says_where_it_is_from(observed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = observed.root / "mollia.toml"
    text = path.read_text().replace("batch = 50", "batch = 20")
    path.write_text("\n".join(line for line in text.split("\n") if not line.startswith("unlabelled =")))
    monkeypatch.setenv("MOLLIA_HOME", "/somewhere")
    found = settings(observed.root)
    assert {f"{name}.{key}" for name, section in SECTIONS.items() for key in keys(section)} <= set(found)
    assert found["run.batch"] == {"key": "run.batch", "value": 20, "source": "mollia.toml", "default": 50, "run": None}
    assert (found["aggregate.unlabelled"]["value"], found["aggregate.unlabelled"]["source"]) == (500, "default")
    assert (found["MOLLIA_HOME"]["value"], found["MOLLIA_HOME"]["source"]) == ("/somewhere", "environment")
    assert found["labels"]["value"] == ["red", "green", "blue", "grey"]


def test_what_a_run_keeps_stands_beside_it(observed: Project) -> None:
    open_run(observed, "kept", batch=7, aggregator="vote")
    open_run(observed, "other")
    assert {key: row["run"] for key, row in settings(observed.root, "--run", "kept").items() if row["run"]} == {
        "run.batch": 7,
        "aggregate.aggregator": "vote",
    }
    assert not any(row["run"] for row in settings(observed.root).values())
    done = CliRunner().invoke(app, ["config", "-p", str(observed.root), "--run", "none"])
    assert isinstance(done.exception, NotFoundError)


@pytest.mark.parametrize(("key", "value"), [("run.batch", "50"), ("noun", "text"), ("run.cascade", "[]")])
def test_one_value_is_printed_alone(observed: Project, key: str, value: str) -> None:
    done = CliRunner().invoke(app, ["config", key, "-p", str(observed.root)])
    assert done.stdout == f"{value}\n"


def test_an_unknown_key_has_a_suggestion(observed: Project) -> None:
    done = CliRunner().invoke(app, ["config", "learner.batch", "-p", str(observed.root)])
    assert isinstance(done.exception, NotFoundError)
    assert "did you mean learner.batch_size?" in done.exception.hint


def curve(values: Sequence[float]) -> Curve:
    points = tuple(Point(n, 50 + 50 * n, (value,), value, 0.0, None) for n, value in enumerate(values))
    return Curve("main", "distil", "random", "mixture", "panel", 1, "test_micro_f1", 100, points)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_bar_begins_at_0_and_is_as_long_as_its_value(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    head, *lines, _ = curve_lines([curve([0.0, 0.5, 0.52, 1.0])])
    assert "test_micro_f1" in head and "from 0 to 1" in head
    filled = [line.count("█") for line in lines]
    assert filled[0] == 0 and filled[3] == min(60, columns - 15)
    assert abs(filled[1] - filled[3] / 2) <= 1  # not stretched to what the values span
    assert all(len(line) <= columns for line in [head, *lines])
    assert [line.split()[-1] for line in lines] == ["0.000", "0.500", "0.520", "1.000"]


@pytest.mark.parametrize(
    ("value", "drawn"), [(0.0, "    "), (1.0, "████"), (0.5, "██  "), (9 / 32, "█▏  "), (2.0, "████")]
)
def test_a_bar_is_exact_to_an_eighth_of_a_column(value: float, drawn: str) -> None:
    assert bar(value, 4) == drawn


def test_a_curve_without_points_draws_nothing() -> None:
    assert list(curve_lines([curve([])])) == []


def test_compare_draws_the_curve(make_project: Callable[..., Project]) -> None:
    from mollia_cli.loop.run import run_rounds

    project = make_project()
    run_rounds(project, *open_run(project, rounds=1), until=1)
    done = CliRunner().invoke(app, ["compare", "-p", str(project.root)])
    assert "main: test_micro_f1 by labelled items" in done.stdout
    assert done.stdout.count("│") >= 2 + 1
