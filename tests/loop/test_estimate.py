"""What a run will cost: measured on the run's own items, and near what it then costs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from doubles import FakeLLM

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.loop.estimate import Amount, estimate
from mollia_cli.loop.needed import needed_for_fit
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings

MakeProject = Callable[..., Project]


def test_amounts() -> None:
    two = Amount(1.0, 2.0, 3.0) + Amount(0.0, 1.0, 5.0)
    assert two == Amount(1.0, 3.0, 8.0)
    assert two.times(2.0, 0.5) == Amount(1.0, 6.0, 24.0)


@pytest.mark.proof
def test_what_a_run_costs_is_within_the_range(make_real_project: MakeProject) -> None:
    project = make_real_project()
    asked = {"strategy": "entropy", "rounds": 1}
    before = estimate(project, texts=4, **asked)
    assert before.rounds == 2
    assert [part.name for part in before.parts][1:] == ["conditional_logit", "training", "selecting and testing"]
    assert not project.store.runs.names()  # nothing was started

    # what was measured is kept, and was needed anyway
    said = project.store.observations.summary()
    assert said[0]["items"] == 5
    needed = needed_for_fit(project)
    assert len(project.store.observations.missing(said[0]["key"], needed)) == len(needed) - 5

    already = said[0]["tokens"]
    done = run_rounds(project, *open_run(project, **asked), 1)
    tokens = project.store.observations.summary()[0]["tokens"] - already
    assert before.tokens.low * 0.9 <= tokens <= before.tokens.high * 1.1
    grown = sum(path.stat().st_size for path in project.models_folder.rglob("*") if path.is_file())
    assert before.disk.low <= grown <= before.disk.high
    assert len(done) == 2

    after = estimate(project, **asked)
    assert (after.rounds, after.parts) == (0, ())


def test_the_part_of_a_longer_run_that_is_left(make_project: MakeProject) -> None:
    project = make_project()
    asked = {"strategy": "random", "annotator": "oracle"}
    run_rounds(project, *open_run(project, rounds=1, **asked), 1)
    left = estimate(project, rounds=3, **asked)
    assert left.rounds == 2
    assert left.tokens.high == 0
    assert [part.name for part in left.parts] == ["training", "selecting and testing"]
    training = left.parts[0].seconds
    assert 0 < training.low <= training.expected <= training.high


def test_texts_are_measured_after_one_shared_prefix(make_project: MakeProject, fake_llm: type[FakeLLM]) -> None:
    """To decode that of the other half, too, would be a large part of the time of so few texts."""
    project = make_project()
    project.use_annotation(shots=3)
    estimate(project, texts=4, strategy="random", rounds=1)
    assert len(fake_llm.read) == 5 and len({*fake_llm.read.values()}) == 1


def test_a_cascade_is_a_range(make_project: MakeProject, stored_outputs: Callable[[Project], Path]) -> None:
    project = make_project()
    found = estimate(project, replay=stored_outputs(project), cascade=["a", "b"], strategy="random", rounds=1)
    assert [part.name for part in found.parts][:2] == ["a", "b"]
    assert found.tokens.high == 0  # stored outputs cost none


def test_nothing_to_measure_on(tmp_path: Path, labels: object, test_llm: Path, test_encoder: Path) -> None:
    create(tmp_path / "new", new_settings(labels, panel=[str(test_llm)], encoder=str(test_encoder)))
    with Project.open(tmp_path / "new") as project, pytest.raises(InputError, match="nothing to measure on"):
        estimate(project)


def test_on_the_command_line(make_project: MakeProject, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(make_project().root)
    plain = ["estimate", "-p", root, "--annotator", "oracle", "--strategy", "random", "--rounds", "1"]
    app(plain, standalone_mode=False)
    shown = capsys.readouterr().out
    assert "run main: 2 rounds," in shown
    assert "training" in shown
    app([*plain, "--json"], standalone_mode=False)
    assert {"low", "expected", "high"} == set(json.loads(capsys.readouterr().out)["seconds"])
