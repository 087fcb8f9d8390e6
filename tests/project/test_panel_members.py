"""What a panel can hold: LLMs beside stored outputs, a person or the true labels alone; and what is refused."""

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomlkit
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.members import ENCODER, MemberSpec
from mollia_cli.domain.settings import PanelSettings
from mollia_cli.insight.rerun import rerun
from mollia_cli.insight.review import open_labelling
from mollia_cli.insight.status import status
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.select import select
from mollia_cli.loop.setup import as_opened, open_run
from mollia_cli.project.context import Project
from mollia_cli.project.encoders import encoder_digests
from mollia_cli.project.members import labelling
from mollia_cli.project.names import missing_models
from mollia_cli.project.observe import annotate, members, stack
from mollia_cli.project.panel import panel_annotators, writing_llm

MakeProject = Callable[..., Project]
Stored = Callable[[Project], Path]
GGUF = b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(8)  # no metadata, no tensors


def reopened(project: Project, *added: Any, alone: bool = False) -> Project:
    """The project with these members beside its LLM, or alone, written into mollia.toml by hand."""
    path = project.root / "mollia.toml"
    text = tomlkit.parse(path.read_text())
    text["panel"]["members"] = [*([] if alone else text["panel"]["members"].unwrap()), *added]  # type: ignore
    path.write_text(tomlkit.dumps(text))
    return Project.open(project.root)


def test_a_new_project_writes_its_panel_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed afterwards changes no project; one whose panel is empty asks nobody, and says what to type."""
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "home"))

    def typed(*words: str) -> str:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        return done.stderr

    def empty(name: str) -> str:
        """What to type where somebody has to be asked."""
        with Project.open(tmp_path / name) as project:
            assert project.panel == () and status(project).panel == ()
            with pytest.raises(NotFoundError, match="the panel is empty") as caught:
                panel_annotators(project)
        return caught.value.hint

    assert "panel: empty: no LLM is installed yet" in typed("init", str(tmp_path / "before"), "--labels", "a,b")
    assert "mollia models pull smollm2-135m-instruct" in empty("before")
    for name in ("ada", "bob"):
        (tmp_path / f"{name}.gguf").write_bytes(GGUF + name.encode())
        typed("models", "add", str(tmp_path / f"{name}.gguf"))
    assert "panel: ada, bob\n" in typed("init", str(tmp_path / "p"), "--labels", "a,b")
    (tmp_path / "cyd.gguf").write_bytes(GGUF + b"cyd")
    typed("models", "add", str(tmp_path / "cyd.gguf"))
    assert tomlkit.parse((tmp_path / "p" / "mollia.toml").read_text())["panel"]["members"] == ["ada", "bob"]  # type: ignore
    with Project.open(tmp_path / "p") as project:
        assert [member.name for member in project.panel] == ["ada", "bob"]
    typed("panel", "remove", "ada", "bob", "-p", str(tmp_path / "p"))
    assert empty("p") == empty("before") == "mollia panel add ada bob cyd, or some of them"


@pytest.fixture
def mixed(make_project: MakeProject, stored_outputs: Stored) -> Project:
    """An LLM, and one of two LLMs whose outputs lie in the project's folder."""
    project = make_project()
    shutil.copy(stored_outputs(project), project.root / "said.jsonl")
    return reopened(project, {"name": "lab", "kind": "replay", "file": "said.jsonl", "llm": "b"})


def test_an_llm_and_stored_outputs_are_one_panel(mixed: Project, fake_llm: Any) -> None:
    ids = mixed.store.items.ids("seed") + mixed.store.items.ids("pool")
    panel = annotate(mixed, ids)
    assert [member.name for member in panel] == ["fake-llm", "lab"] and len(fake_llm.asked) == len(ids)
    said = [json.loads(line) for line in (mixed.root / "said.jsonl").read_text().splitlines()]
    votes = {record["id"]: list(record["votes"].values()) for record in said if record["model"] == "b"}
    np.testing.assert_allclose(stack(mixed, panel, ids).votes[:, 1], [votes[i] for i in ids], atol=1e-6)
    assert len(aggregate(mixed).verdicts) == 40
    assert annotate(mixed, ids) == panel and len(fake_llm.asked) == len(ids)


def test_what_a_run_replays_is_the_same_observation_as_a_members(mixed: Project) -> None:
    _, setup = open_run(mixed, replay=mixed.root / "said.jsonl")
    of_run = {member.name: member.key for member in members(as_opened(mixed, setup))}
    assert list(of_run) == ["a", "b"] and of_run["b"] == members(mixed)[1].key


def test_a_run_with_such_a_panel_can_be_repeated_with_its_relative_file(mixed: Project) -> None:
    run_rounds(mixed, *open_run(mixed, strategy="random", rounds=1, aggregator="vote"), 1)
    assert rerun(mixed, "main").same


@pytest.mark.parametrize(
    ("member", "said", "hint"),
    [
        (
            {"name": "lab", "kind": "reply", "file": "x"},
            r"mollia.toml: panel.members: 'lab': no annotator is called 'reply'",
            "did you mean 'replay'",
        ),
        ({"name": "lab", "kind": "replay"}, r"'lab' \(replay\) needs the option 'file'", "file, llm"),
        ({"name": "lab", "kind": "replay", "flie": "x"}, "has no option 'flie'", "did you mean file"),
        ({"name": "x", "kind": "llama", "file": 3}, "file is 3", "expected `str`"),
        ({"name": "me", "kind": "human"}, r"'me' \(human\) knows the labels", "--annotator human"),
    ],
)
def test_what_cannot_be_a_member_is_refused_when_the_file_is_read(
    make_project: MakeProject, member: dict[str, Any], said: str, hint: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        reopened(make_project(), member)
    assert hint in caught.value.hint


def test_two_files_of_one_name_are_refused_when_the_panel_is_opened(mixed: Project, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(tmp_path / "fake-llm.gguf", tmp_path / "other")
    project = reopened(mixed, str(tmp_path / "other" / "fake-llm.gguf"))
    with pytest.raises(InputError, match="two members are called 'fake-llm'"):
        members(project)
    named = {"name": "other", "kind": "llama", "file": str(tmp_path / "other" / "fake-llm.gguf")}
    assert [member.name for member in members(reopened(project, named, alone=True))] == ["other"]


@pytest.mark.parametrize(
    ("llm", "said"), [("", r"what a, b said, which of them is 'lab'\?"), ("c", "what a, b said, and no 'c'")]
)
def test_a_member_is_one_llm_of_a_file(mixed: Project, llm: str, said: str) -> None:
    member = {"name": "lab", "kind": "replay", "file": "said.jsonl", "llm": llm}
    with pytest.raises(InputError, match=said) as caught:
        members(reopened(mixed, member, alone=True))
    assert caught.value.hint == 'say which: llm = "a"'


@pytest.mark.parametrize("kind", ["oracle", "human"])
def test_who_knows_the_labels_is_a_panel_whose_answers_are_the_verdicts(make_project: MakeProject, kind: str) -> None:
    project = reopened(make_project(), {"name": "me", "kind": kind}, alone=True)
    project.ask = lambda question: "1"
    run, setup = open_run(project, strategy="random", rounds=1)
    assert setup.annotator == "panel"
    done = run_rounds(project, run, setup, 1)[-1]
    assert done.fit is None and (done.metrics or {})["labelled"] == 23
    assert not project.store.observations.summary()
    picked = {selection.item_id for selection in project.store.runs.selections(run)}
    assert set(project.store.decisions.labels()) == (picked if kind == "human" else set())
    with pytest.raises(NotFoundError, match="'me', who knows the labels"):
        annotate(project, project.store.items.ids("seed"))
    assert len(open_labelling(project, 22).queue) == 4  # `mollia label` does without observations


def test_the_list_shows_each_members_kind_and_one_can_be_taken_out(mixed: Project, capsys: Any) -> None:
    annotate(mixed, mixed.store.items.ids("seed"))
    app(["panel", "list", "-p", str(mixed.root), "--json"], standalone_mode=False)
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["kind"], row["installed"]) for row in rows][1] == ("lab", "replay", True)
    assert [row["kind"] for row in rows] == ["llama", "replay"] and [row["annotated"] for row in rows][1] == 18
    app(["panel", "remove", "lab", "-p", str(mixed.root)], standalone_mode=False)
    assert capsys.readouterr().err.rstrip().endswith("fake-llm.gguf")
    assert [member.kind for member in Project.open(mixed.root).panel] == ["llama"]


def test_where_the_true_labels_label_a_strategy_looks_at_the_projects_panel(observed: Project) -> None:
    run, _ = open_run(observed, annotator="oracle", strategy="disagreement")
    assert len(select(observed, "disagreement", 3, run)) == 3
    assert writing_llm(observed.with_panel(labelling(observed.settings, "oracle"))).name in {"ada", "bob", "cyd"}


def test_an_encoder_of_the_panel_and_of_the_classifier_is_listed_once(make_project: MakeProject) -> None:
    project = make_project()
    trained = project.settings.learner.encoder
    with reopened(project, {"name": "mini", "kind": "encoder", "model": trained}) as both:
        *llms, mini = status(both).models
        assert [llm.kind for llm in llms] == ["llama"]
        assert (mini.name, mini.kind, mini.classifier, mini.installed) == ("mini", "encoder", True, True)
        shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["status", "-p", str(both.root)]).output
    rows = [line.split() for line in shown.splitlines()]
    assert [row for row in rows if row[1:2] in (["encoder"], ["encoder,"])] == [
        ["mini", "encoder,", "classifier", "yes"]
    ]
    with reopened(project, alone=True) as neither:
        assert [(model.kind, model.classifier) for model in status(neither).models] == [("encoder", True)]


def test_an_encoder_s_relative_folder_is_the_project_s(
    make_project: MakeProject, test_encoder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = make_project()
    (project.root / "encoders").mkdir()
    (project.root / "encoders" / "mini").symlink_to(test_encoder)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    with reopened(project, {"name": "mini", "kind": "encoder", "model": "encoders/mini"}) as here:
        assert not missing_models(here.settings, here.folder)
        assert [model.installed for model in status(here).models if model.name == "mini"] == [True]
        absolute = MemberSpec("mini", ENCODER, {"model": str(test_encoder)})
        found = encoder_digests(here)
        here.settings = replace(here.settings, panel=PanelSettings((absolute,)))
        assert found == encoder_digests(here)


def test_a_panel_of_encoders_alone_labels_nothing(observed: Project) -> None:
    encoders = observed.with_panel((MemberSpec("mini", ENCODER), MemberSpec("net", ENCODER)))
    for look in (panel_annotators, members, aggregate):
        with pytest.raises(NotFoundError, match="the panel holds 2 encoders and nobody who labels"):
            look(encoders)
