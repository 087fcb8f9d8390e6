"""What cannot be in mollia.toml, prompt.txt, or at init, and labels that nothing can be learned from: said at once."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.ingest import ingest

MakeProject = Callable[..., Project]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "p"
    create(root, new_settings(LabelSet(("a", "b")), panel=["smollm2-135m-instruct"]))
    return root


def put(root: Path, key: str, value: str) -> None:
    path = root / "mollia.toml"
    text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", path.read_text())
    assert count
    path.write_text(text)


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("random_seed", "-1"),
        ("random_seed", "99999999999999999999999"),
        ("learning_rate", "1e300"),
        ("temperature", "1e300"),
        ("samples", "1000000000"),
        ("max_tokens", "999999999"),
        ("threads", "100000"),
        ("batch", "99999999999999999999"),
        ("budget_minutes", "1e300"),
    ],
)
def test_an_impossible_number_is_refused_by_every_command(root: Path, key: str, value: str) -> None:
    put(root, key, value)
    done = CliRunner().invoke(app, ["status", "-p", str(root)])
    assert isinstance(done.exception, InputError)
    assert f"{key} is" in done.exception.message
    assert "it must be a" in done.exception.hint


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("encoder", '"all-mpnet-base-v3"', "no model is called 'all-mpnet-base-v3', here or in the catalogue (did you"),
        ("members", '["nosuch"]', "no model is called 'nosuch', here or in the catalogue"),
        ("cascade", '["nosuch"]', "run.cascade: 'nosuch' is not in the panel (smollm2-135m-instruct"),
        ("template", '"nosuch.txt"', "annotate.template: no file is called"),
    ],
)
def test_an_unknown_name_is_said_by_every_command(root: Path, key: str, value: str, words: str) -> None:
    put(root, key, value)
    assert f"mollia.toml: {words}" in said("status", "-p", str(root))


def test_status_does_not_send_one_to_pull_what_there_is_not(root: Path) -> None:
    (root.parent / "texts.txt").write_text("one\ntwo\n")
    (root.parent / "seeds.csv").write_text("text,label\nthree,a\nfour,b\n")
    said("import", "-p", str(root), str(root.parent / "texts.txt"))
    said("import", "-p", str(root), str(root.parent / "seeds.csv"), "--split", "seed")
    put(root, "encoder", '"nosuch"')
    assert "next: mend mollia.toml: there is no model 'nosuch'" in said("status", "-p", str(root))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--encoder", "all-mpnet-base-v3"], "'all-mpnet-base-v3'"), (["--encoder", "./nowhere"], "nowhere")],
)
def test_init_refuses_an_encoder_that_there_is_not(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["init", str(tmp_path / "new"), "--labels", "a,b", *arguments])
    assert isinstance(done.exception, NotFoundError | InputError)
    assert words in done.exception.message
    assert not (tmp_path / "new").exists()


def test_init_refuses_a_negative_seed(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["init", str(tmp_path / "new"), "--labels", "a,b", "--random-seed", "-1"])
    assert done.exit_code == 2
    assert "--random-seed" in done.output
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("template", ['Say {"a": 1} of {text}', "{ labels } {text}", "{text} {", "{text} }"])
def test_a_brace_that_is_no_placeholders_is_refused(root: Path, template: str) -> None:
    (root / "prompt.txt").write_text(f"First line.\n{template}")
    done = CliRunner().invoke(app, ["prompt", "show", "-p", str(root)])
    assert isinstance(done.exception, InputError)
    assert "prompt.txt:2: a brace that is no placeholder's: " in done.exception.message
    assert "{{ and }}" in done.exception.hint


def test_labels_in_a_split_that_learns_from_none_are_said(root: Path) -> None:
    labelled, plain = root.parent / "labelled.csv", root.parent / "plain.csv"
    labelled.write_text("text,label\none,a\ntwo,b\n")
    plain.write_text("text\nthree\n")
    assert "labels of pool texts are for evaluation alone" in said("import", "-p", str(root), str(labelled))
    assert "1 of them have no label" in said("import", "-p", str(root), str(plain), "--split", "test")


def test_nothing_is_trained_on_one_label(make_project: MakeProject, write: Callable[[str, str], Path]) -> None:
    project = make_project()
    only = project.labels.names[0]
    ids = [item.id for item in project.store.items.in_split("seed") if item.label]
    project.store.forget(ids)
    ingest(project, write("pool.csv", f"text,label\nsome text,{only}\n"), "pool", name="pool.csv")
    with pytest.raises(InputError, match=f"labels to learn from are '{only}'") as caught:
        run_rounds(project, *open_run(project, rounds=0), until=0)
    assert "mollia label" in caught.value.hint
