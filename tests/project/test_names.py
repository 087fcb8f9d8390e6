"""Names that settings hold: unknown members of families are refused when a project is opened, missing models said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.settings import PanelSettings
from mollia_cli.insight.status import next_step, status
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.loop.train import train_learner
from mollia_cli.project.context import Project

MakeProject = Callable[..., Project]


def edit(root: Path, old: str, new: str) -> None:
    path = root / "mollia.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value", "wrong", "near"),
    [
        ("run.strategy", "random", "corset", "coreset"),
        ("run.stop", "rounds", "plateu", "plateau"),
        ("aggregate.aggregator", "conditional_logit", "molan", "molam"),
    ],
)
def test_an_unknown_name_is_refused_when_the_file_is_read(
    make_project: MakeProject, key: str, value: str, wrong: str, near: str
) -> None:
    root = make_project().root
    name = key.partition(".")[2]
    edit(root, f'{name} = "{value}"', f'{name} = "{wrong}"')
    with pytest.raises(InputError, match=f"mollia.toml: {key}: no .* is called '{wrong}'") as caught:
        Project.open(root)
    assert f"did you mean '{near}'?" in caught.value.hint


def test_a_model_that_is_not_here_is_refused_where_it_is_needed_before_a_training(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    gone = tmp_path / "gone.gguf"
    edit(project.root, "fake-llm.gguf", gone.name)
    said: list[str] = []
    with Project.open(project.root, said.append) as opened:
        assert not said and next_step(status(opened)).startswith(f"mend mollia.toml: there is no model {str(gone)!r}")
        run, config = open_run(opened, rounds=1)
        monkeypatch.setattr("mollia_cli.loop.round.train_learner", lambda *_: pytest.fail("trained"))
        with pytest.raises(NotFoundError, match=r"gone\.gguf"):
            run_rounds(opened, run, config, 1)
        monkeypatch.setattr("mollia_cli.loop.round.train_learner", train_learner)
        assert len(run_rounds(opened, run, config, 0)) == 1  # round 0 asks nobody


def test_a_run_needs_its_encoder_from_the_start(make_project: MakeProject) -> None:
    project = make_project()
    project.settings = replace(project.settings, learner=replace(project.settings.learner, encoder="nowhere/encoder"))
    with pytest.raises(NotFoundError, match="nowhere/encoder"):
        open_run(project, "a")
    assert not project.store.runs.names()


def test_nothing_is_said_where_all_is_here(make_project: MakeProject) -> None:
    said: list[str] = []
    with Project.open(make_project().root, said.append) as opened:
        assert opened.settings.panel != PanelSettings()
    assert not said
