"""``mollia runs``: what is listed, and what goes with a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mollia_cli.cli import common
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import NotFoundError, RefusedError
from mollia_cli.domain.settings import RunConfig
from mollia_cli.insight.runs import delete_run, list_runs
from mollia_cli.loop.run import run_repeats
from mollia_cli.project.context import Project
from mollia_cli.store.store import Store

MakeProject = Callable[..., Project]


def counts(store: Store) -> dict[str, int]:
    return store.verify().rows


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """Two runs of two rounds."""
    made = make_project()
    run_repeats(made, "first", 1, rounds=1, strategy="random", aggregator="vote", stop="agreement")
    run_repeats(made, "second", 1, rounds=1, strategy="entropy", aggregator="vote")
    return made


def test_runs_are_listed_the_one_used_last_first(project: Project) -> None:
    rows = list_runs(project)
    assert [(row.run, row.current, row.rounds, row.strategy) for row in rows] == [
        ("second", True, 2, "entropy"),
        ("first", False, 2, "random"),
    ]
    assert all(row.labelled > 18 and row.aggregator == "vote" and row.annotator == "panel" for row in rows)


def test_a_run_goes_with_its_rounds_selections_and_classifiers(project: Project) -> None:
    before, other = counts(project.store), project.store.runs.rounds("second")
    runs = project.store.runs
    selected, asked = len(runs.selections("first")), sum(len(runs.opinions("first", number)) for number in (0, 1))
    assert (project.models_folder / "first").is_dir() and selected and asked
    gone = delete_run(project, "first")
    assert gone.rows == {"opinions": asked, "selections": selected, "rounds": 2, "runs": 1}
    assert gone.folder == "models/first" and not (project.models_folder / "first").exists()
    assert project.store.runs.names() == ["second"] and project.store.runs.rounds("second") == other
    after = counts(project.store)
    assert {table: before[table] - after[table] for table in before if before[table] != after[table]} == gone.rows
    *_, last = project.store.journal.entries()
    assert last.verb == "delete run" and last.count == sum(gone.rows.values())
    assert not project.store.verify().findings and not project.store.damage()
    again = run_repeats(project, "first", 1, rounds=1, strategy="random", aggregator="vote")
    assert len(again["first"].rounds) == 2


def test_a_run_that_is_another_process_s_stays(project: Project) -> None:
    with Project.open(project.root) as other, other.hold("first"), pytest.raises(RefusedError, match="run 'first'"):
        delete_run(project, "first")
    assert project.store.runs.names() == ["second", "first"] and (project.models_folder / "first").is_dir()


def test_a_run_that_does_not_exist_is_said(project: Project) -> None:
    with pytest.raises(NotFoundError, match="'third'") as caught:
        delete_run(project, "third")
    assert "second, first" in caught.value.hint


def test_a_folder_elsewhere_is_never_deleted(project: Project, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    project.store.runs.put("../../precious", RunConfig(strategy="random", aggregator="vote"))
    assert delete_run(project, "../../precious").folder is None
    assert (tmp_path / "precious").is_dir()


@pytest.mark.parametrize(
    ("more", "person", "typed", "status"),
    [([], True, "no\n", 4), ([], True, "yes\n", 0), ([], False, "yes\n", 4), (["--yes"], False, "", 0)],
)
def test_on_the_command_line(
    project: Project, monkeypatch: pytest.MonkeyPatch, more: list[str], person: bool, typed: str, status: int
) -> None:
    monkeypatch.setattr(common, "somebody_answers", lambda: person)
    where = ["-p", str(project.root)]
    result = CliRunner().invoke(app, ["runs", "delete", "first", *more, *where], input=typed)
    error: Any = result.exception
    assert getattr(error, "exit_code", result.exit_code) == status
    if not person and status:
        assert "--yes" in error.hint
    listed = json.loads(CliRunner().invoke(app, ["runs", "list", "--json", *where]).stdout)
    assert [row["run"] for row in listed] == (["second"] if status == 0 else ["second", "first"])
    assert CliRunner().invoke(app, ["verify", *where]).exit_code == 0
