"""--paper: one switch for the paper's loop with the paper's values, in a new project and of a run."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeLLM, TinyLearner, tiny_encoder
from typer.testing import CliRunner

from mollia_cli import Project, models
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.settings import PAPER, SECTIONS, RunConfig, Settings, by_paper, checked
from mollia_cli.loop.setup import as_opened, open_run, planned_run
from mollia_cli.project import context
from mollia_cli.prompts import builtin_template

MakeProject = Callable[..., context.Project]
# By hand: the paper's Implementation section, Eqs. 5 and 8, Table 1; and of its published code the number of
# iterations (12, the first of them on the seed set), the answers (10 at .7, top-p .9) and plain batches.
RUN = {
    "aggregator": "molam",
    "unlabelled": 176_642,
    "delta": 0.001,
    "method": "mollia",
    "strategy": "coreset",
    "batch": 50,
    "rounds": 11,
    "cascade": (),
    "synthetic": False,
    "stop": "rounds",
    "budget_tokens": 0,
    "budget_minutes": 0.0,
    "pool_sample": 0,
    "alpha": 0.5,
    "lambda_start": 0.4,
    "lambda_end": 1.0,
}
LEARNER = {
    "name": "transformer",
    "encoder": "distilbert-base-uncased",
    "max_tokens": 128,
    "learning_rate": 0.00005,
    "batch_size": 50,
    "steps": 1,
    "epochs": 40,
    "patience": 10,
    "validation": 0.0,
    "validation_cap": 29_672,
}
ASKING = {"shots": 0, "guidelines": False, "votes": "sampled", "samples": 10, "temperature": 0.7, "top_p": 0.9}
OTHERWISE = {
    "annotate": {"shots": 6, "votes": "exact", "temperature": 1.0},
    "aggregate": {"aggregator": "vote", "delta": 0.5},
    "learner": {"name": "linear", "learning_rate": 0.1, "steps": 9},
    "run": {"method": "distil", "strategy": "margin", "stop": "plateau", "pool_sample": 7, "cascade": ["a", "b"]},
}


def of(value: Any, known: dict[str, Any]) -> dict[str, Any]:
    return {key: getattr(value, key) for key in known}


@pytest.fixture
def distilbert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper's encoder is installed: an empty one."""
    folder, resolve = tiny_encoder(tmp_path / "distilbert"), models.resolve_encoder
    monkeypatch.setattr(models, "resolve_encoder", lambda name: folder if name == LEARNER["encoder"] else resolve(name))


def test_the_papers_values_are_settings_within_their_limits() -> None:
    assert {name: dict(checked(values, SECTIONS[name], "paper")) for name, values in PAPER.items()} == PAPER
    # what the paper says nothing of: names, threads, where things are, and what has no effect in its loop
    unsaid = {
        "annotate": {"template", "long", "context", "threads", "engine", "address", "workers", "mixed"},
        "aggregate": {"embedded", "false_negatives"},
        "learner": {"threads"},
        "run": {"threshold"},
    }
    for name, left in unsaid.items():
        assert set(SECTIONS[name].__dataclass_fields__) - set(PAPER[name]) == left


def test_a_run_by_the_paper_is_the_papers_whatever_the_settings(make_project: MakeProject, distilbert: None) -> None:
    project = make_project()
    labels = LabelSet(("a", "b"))
    sections = {name: SECTIONS[name](**checked(values, SECTIONS[name], "x")) for name, values in OTHERWISE.items()}
    for settings in (project.settings, Settings(labels, **sections)):
        project.settings = settings
        _, config = planned_run(project, "p", paper=True)
        assert (of(config, RUN), of(config.learner, LEARNER)) == (RUN, LEARNER)
        assert (config.annotator, config.replay, config.repeat, config.learner.threads) == ("panel", "", 1, 0)


def test_an_option_holds_beside_it_and_the_run_keeps_the_papers_values(
    make_project: MakeProject, distilbert: None
) -> None:
    project = make_project()
    _, config = open_run(project, "p", paper=True, strategy="bemps", rounds=2, lambda_start=0.0)
    assert of(config, RUN) == RUN | {"strategy": "bemps", "rounds": 2, "lambda_start": 0.0}
    again = {"strategy": "bemps", "lambda_start": 0.0}
    assert open_run(project, "p") == open_run(project, "p", paper=True, rounds=2, **again) == ("p", config)
    with pytest.raises(InputError, match="started with strategy 'bemps', not 'coreset'"):
        open_run(project, "p", paper=True)
    open_run(project, "ours")
    with pytest.raises(InputError, match="started with aggregator 'conditional_logit', not 'molam'"):
        open_run(project, "ours", paper=True)
    _, other = planned_run(project, "q", paper=True, learner={"encoder": project.settings.learner.encoder})
    assert of(other.learner, LEARNER) == LEARNER | {"encoder": project.settings.learner.encoder}


def test_a_prompt_that_is_not_the_papers_is_said_once(make_project: MakeProject, distilbert: None) -> None:
    project = make_project()
    remarks: list[str] = []
    project.say = remarks.append
    open_run(project, "ours")
    assert not [remark for remark in remarks if "paper" in remark]
    open_run(project, "p", paper=True)
    (remark,) = (remark for remark in remarks if "paper" in remark)
    assert "how its project asks the LLMs: prompt.txt is not the paper's prompt (`mollia init --paper`" in remark
    (project.root / "prompt.txt").write_text(builtin_template("paper"))
    remarks.clear()
    open_run(project, "p", paper=True)
    assert not [remark for remark in remarks if "paper's" in remark]
    project.use_annotation(shots=2, votes="exact")
    for annotator, expected in (("panel", 1), ("oracle", 0)):  # the oracle reads no prompt
        remarks.clear()
        open_run(project, annotator, paper=True, annotator=annotator)
        found = [remark for remark in remarks if "annotate.shots is 2, not 0; annotate.votes is 'exact'" in remark]
        assert len(found) == expected


def test_a_project_by_the_paper_shows_its_values(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("spam,advertisements\nham,what somebody wrote\n")
    typed = ["init", str(tmp_path / "p"), "--paper", "--labels-from", str(tmp_path / "labels.csv")]
    done = CliRunner().invoke(app, [*typed, "--panel", "smollm2-135m-instruct"])
    assert done.exit_code == 0, done.output
    written = tomllib.loads((tmp_path / "p" / "mollia.toml").read_text())
    expected = {"annotate": ASKING, "learner": LEARNER, "run": {}, "aggregate": {}}
    for key, value in RUN.items():
        expected["run" if key in written["run"] else "aggregate"][key] = list(value) if value == () else value
    for name, values in expected.items():
        assert {key: written[name][key] for key in values} == values
    assert (tmp_path / "p" / "prompt.txt").read_text() == builtin_template("paper")
    with context.Project.open(tmp_path / "p") as project:
        assert of(RunConfig.of(project.settings), RUN) == RUN


def test_the_api_takes_it_too(tmp_path: Path) -> None:
    options = {"panel": ["smollm2-135m-instruct"], "paper": True}
    with Project.create(tmp_path / "p", ["a", "b"], **options, settings={"run": {"batch": 7}}) as project:
        config = RunConfig.of(project.settings)
        assert (of(config, RUN), of(config.learner, LEARNER)) == (RUN | {"batch": 7}, LEARNER)
        assert of(project.settings.annotate, ASKING) == ASKING
    with Project.create(tmp_path / "q", ["a", "b"], **options, encoder="all-minilm-l6-v2") as project:
        assert project.settings == by_paper(project.settings, {"learner": ["encoder"]})
        assert project.settings.learner.encoder == "all-minilm-l6-v2"


def test_an_encoder_that_is_not_here_is_said_before_anything_is_read(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = make_project()
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "empty"))
    with pytest.raises(NotFoundError, match="distilbert-base-uncased") as caught:
        open_run(project, "p", paper=True)
    assert "mollia models pull distilbert-base-uncased" in caught.value.hint
    assert not project.store.runs.names()


def test_the_papers_loop_from_end_to_end(
    make_project: MakeProject,
    distilbert: None,
    fake_llm: type[FakeLLM],
    tiny_learner: type[TinyLearner],
) -> None:
    project = make_project()
    for command in (["estimate", "--rounds", "1"], ["round"], ["run", "--rounds", "1"]):
        done = CliRunner().invoke(app, [*command, "--paper", "--run", "p", "-p", str(project.root)])
        assert done.exit_code == 0, done.output
    zero, one = project.store.runs.rounds("p")
    assert (zero.metrics or {})["labelled"] == 18 and (one.metrics or {})["labelled"] == 18 + 40  # a batch of 50
    assert (one.metrics or {})["lambda"] == 0.4 and (one.metrics or {})["validation"] == "6 gold"
    assert len({*fake_llm.asked}) == 18 + 40  # the whole pool is the unlabelled sample
    assert one.fit is not None and project.store.verdicts.fit(one.fit).aggregator == "molam"
    config = project.store.runs.config("p")
    assert config is not None and as_opened(project, config).settings.learner.steps == 1
