"""``mollia models tune``: the tuned copy is a model of its own; the original and the default panel stay."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mollia_cli import models
from mollia_cli.annotators.llama import tuning
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.machine import tune
from mollia_cli.project.context import Project

Speeds = dict[str, float]


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> Speeds:
    """How fast this machine reads each format."""
    speeds = {"Q4_1": 1.0, "BF16": 3.0, "F16": 2.0, "Q8_0": 2.0, "Q4_0": 4.0}
    monkeypatch.setattr(tuning, "_race", lambda files, threads, extra_buffers: {name: speeds[name] for name in files})
    monkeypatch.setattr(tuning, "measure_threads", lambda path, counts, extra_buffers: {1: 1.0})
    return speeds


def installed(path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> models.ModelFile:
    """A file, installed in a home of its own."""
    monkeypatch.setenv("MOLLIA_HOME", str(home))
    models.add(path)
    (name,) = models.installed_names()
    return models.resolve_llm(name)


@pytest.fixture
def small(tmp_path: Path, test_llm: Path, monkeypatch: pytest.MonkeyPatch) -> models.ModelFile:
    """The test LLM."""
    return installed(test_llm, tmp_path / "home", monkeypatch)


@pytest.fixture
def smaller(tmp_path: Path, shallow_llm: Path, monkeypatch: pytest.MonkeyPatch) -> models.ModelFile:
    """A few of its layers, where no answer and no entry of the catalogue matters."""
    return installed(shallow_llm, tmp_path / "home", monkeypatch)


@pytest.mark.proof
def test_the_tuned_copy_is_a_model_of_its_own(small: models.ModelFile, speeds: Speeds) -> None:
    done = tune.tune_model(small.name)
    assert done.use == f"{small.name}.bf16"
    assert done.found is not None and done.found.change is None
    copy = models.resolve_llm(done.use)
    assert copy.sha256 != small.sha256
    assert models.resolve_llm(small.name) == small
    assert models.check(done.use)[0].state == "ok"
    row = next(row for row in models.list_models("llm") if row.name == done.use)
    assert row.note == f"tuned from {small.name}" and row.licence
    assert sorted(path.name for path in copy.path.parent.iterdir()) == ["installed.json", copy.path.name]


@pytest.mark.proof
def test_a_default_panel_asks_each_model_once(smaller: models.ModelFile, speeds: Speeds) -> None:
    tune.tune_model(smaller.name)
    assert models.installed_names("llm") == [smaller.name]
    models.remove(smaller.name)
    assert models.installed_names("llm") == [f"{smaller.name}.bf16"]


@pytest.mark.proof
def test_tuning_again_says_so_and_measures_nothing(
    smaller: models.ModelFile, speeds: Speeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune.tune_model(smaller.name)
    monkeypatch.delattr(tune, "tune")
    again = tune.tune_model(smaller.name)
    assert (again.use, again.found) == (f"{smaller.name}.bf16", None)
    assert "already" in again.says


@pytest.mark.proof
def test_nothing_is_installed_when_the_original_is_fastest(small: models.ModelFile, speeds: Speeds) -> None:
    speeds["Q4_1"] = 9.0
    assert tune.tune_model(small.name).use == small.name
    assert models.installed_names() == [small.name]
    assert [path.name for path in (small.path.parent.parent).iterdir()] == [small.name]


@pytest.mark.proof
def test_coarser_is_measured_even_without_a_project(
    smaller: models.ModelFile, speeds: Speeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "SAMPLE_TEXTS", 8)
    tune.tune_model(smaller.name)
    done = tune.tune_model(smaller.name, coarser=True)
    assert done.use == f"{smaller.name}.q4_0"
    assert done.found is not None and done.found.change is not None
    assert done.found.change.texts == 8
    assert 0 < done.found.change.mean < done.found.change.largest


@pytest.mark.proof
def test_the_command_measures_the_change_on_the_projects_texts(
    make_real_project: Callable[..., Project], small: models.ModelFile, speeds: Speeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "SAMPLE_TEXTS", 10)
    project = make_real_project()
    arguments = ["models", "tune", small.name, "-p", str(project.root), "--threads", "1", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    (record,) = json.loads(result.stdout)
    assert record["use"] == f"{small.name}.bf16"
    assert record["gain"] == 3.0
    assert record["keeps_values"] is True
    assert record["change"]["texts"] == 10
    assert 0 < record["change"]["mean"] < 0.1
    assert "on 10 texts" in result.stderr


def test_a_file_is_not_tuned(test_llm: Path) -> None:
    with pytest.raises(InputError, match="only installed models"):
        tune.tune_model(str(test_llm))
