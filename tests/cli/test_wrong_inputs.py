"""What a tired person types: each gets one clear message with a hint, a non-zero exit status, and no traceback."""

import json
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from typed import typed

from mollia_cli.machine.demo import demo_messages

Mollia = Callable[..., subprocess.CompletedProcess[str]]


def run_in(folder: Path, *arguments: object, code: int, stdin: str = "") -> subprocess.CompletedProcess[str]:
    done = typed(folder, *arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def mollia(tmp_path: Path) -> Mollia:
    return partial(run_in, tmp_path)


@pytest.fixture(scope="module")
def finished_project(tmp_path_factory: pytest.TempPathFactory, test_llm: Path, test_encoder: Path) -> Path:
    folder = tmp_path_factory.mktemp("once")
    names = "appointment,prescription,results,billing,documents,complaint"
    run_in(folder, "init", "p", "--labels", names, "--panel", test_llm, "--encoder", test_encoder, code=0)
    seed = [json.dumps(message) for message in demo_messages() if message["split"] == "seed"]
    (folder / "seed.jsonl").write_text("\n".join(seed))
    run_in(folder, "import", "-p", "p", "seed.jsonl", "--split", "seed", code=0)
    (folder / "pool.txt").write_text("Is my scan back?\nI want to move my visit.\n")
    run_in(folder, "import", "-p", "p", "pool.txt", code=0)
    return folder


@pytest.fixture
def project(tmp_path: Path, finished_project: Path) -> Path:
    shutil.copytree(finished_project, tmp_path, dirs_exist_ok=True)
    return tmp_path / "p"


def test_no_project(mollia: Mollia) -> None:
    error = mollia("status", code=3).stderr
    assert "no mollia project" in error
    assert "mollia init" in error


def test_a_wrong_column(mollia: Mollia, project: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("message,topic\nhello,billing\n")
    error = mollia("import", "-p", project, "a.csv", "--text-column", "txt", code=2).stderr
    assert "a.csv" in error
    assert "'txt'" in error
    assert "'message', 'topic'" in error


def test_a_label_that_is_not_in_the_set(mollia: Mollia, project: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nhello,biling\n")
    error = mollia("import", "-p", project, "a.csv", "--split", "seed", code=2).stderr
    assert "a.csv:2: label 'biling'" in error
    assert "did you mean 'billing'" in error


def test_a_missing_model(mollia: Mollia, project: Path) -> None:
    error = mollia("panel", "add", "qwen-coder", "-p", project, code=3).stderr
    assert "'qwen-coder'" in error
    assert "qwen2.5-coder" in error


def test_a_model_file_cut_in_half(mollia: Mollia, project: Path, tmp_path: Path, test_llm: Path) -> None:
    whole = test_llm.read_bytes()
    (tmp_path / "half.gguf").write_bytes(whole[: len(whole) // 2])
    mollia("panel", "add", "half.gguf", "-p", project, code=0)
    error = mollia("annotate", "-p", project, "--model", "half", code=4).stderr
    assert "half.gguf" in error
    assert "try:" in error


def test_seeds_of_one_class_only(mollia: Mollia, tmp_path: Path, test_llm: Path) -> None:
    mollia("init", "one", "--labels", "billing,results", "--panel", test_llm, code=0)
    rows = "".join(f"text {n},billing\n" for n in range(49))
    (tmp_path / "seed.csv").write_text("text,label\n" + rows)
    mollia("import", "-p", "one", "seed.csv", "--split", "seed", code=0)
    error = mollia("aggregate", "-p", "one", code=2).stderr
    assert "all 49 seed labels are 'billing'" in error


def test_an_id_that_does_not_exist(mollia: Mollia, project: Path) -> None:
    error = mollia("annotate", "-", "-p", project, stdin="nosuchid\n", code=3).stderr
    assert "'nosuchid'" in error


def test_a_template_without_the_texts_placeholder(mollia: Mollia, project: Path) -> None:
    (project / "prompt.txt").write_text("Which of {labels} is it?")
    error = mollia("prompt", "show", "-p", project, code=2).stderr
    assert "prompt.txt does not hold the placeholder {text}" in error


@pytest.mark.proof
def test_a_text_longer_than_the_context(mollia: Mollia, project: Path, tmp_path: Path) -> None:
    settings = project / "mollia.toml"
    settings.write_text(settings.read_text().replace("context = 0", "context = 512").replace("shots = -1", "shots = 0"))
    (tmp_path / "long.jsonl").write_text(json.dumps({"id": "long", "text": "my tablets are finished " * 1000}))
    mollia("import", "-p", project, "long.jsonl", code=0)
    done = mollia("annotate", "-", "-p", project, stdin="long\n", code=0)
    assert json.loads(done.stdout)["truncated"] is True
    assert ": 1 of 1 texts are longer than its context has room for: the middle of each is left out" in done.stderr


def test_a_typing_error_in_the_settings(mollia: Mollia, project: Path) -> None:
    settings = project / "mollia.toml"
    settings.write_text(settings.read_text().replace("[panel]", "[pannel]"))
    error = mollia("status", "-p", project, code=2).stderr
    assert "mollia.toml: unknown key pannel" in error
    assert "did you mean panel?" in error


def test_a_second_init_changes_nothing(mollia: Mollia, project: Path) -> None:
    before = (project / "mollia.toml").read_text()
    assert "already holds a mollia project" in mollia("init", project, "--labels", "x,y", code=4).stderr
    assert (project / "mollia.toml").read_text() == before


def test_coreset_before_any_training(mollia: Mollia, project: Path) -> None:
    error = mollia("select", "-p", project, "--strategy", "coreset", code=3).stderr
    assert "mollia train" in error


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["init", "q", "--labels", "only"], "'only'"),
        (["init", "q", "--labels", "Spam,spam"], "'spam'"),
        (["init", "q"], "--labels"),
        (["select", "--strategy", "coresset", "-p", "p"], "did you mean 'coreset'"),
        (["aggregate", "--aggregator", "molamm", "-p", "p"], "did you mean 'molam'"),
        (["import", "nofile.csv", "-p", "p"], "nofile.csv"),
        (["import", "pool.txt", "--split", "train", "-p", "p"], "'train'"),
        (["round", "--annotator", "nobody", "-p", "p"], "'nobody'"),
        (["predict", "pool.txt", "-p", "p"], "no trained model"),
        (["export", "model", "-o", "out", "-p", "p"], "no trained model"),
        (["export", "labels", "-o", "out.xlsx", "-p", "p"], "'xlsx'"),
        (["panel", "remove", "nobody", "-p", "p"], "'nobody'"),
    ],
    ids=" ".join,
)
def test_one_message_that_names_the_value(mollia: Mollia, project: Path, arguments: list[str], named: str) -> None:
    done = typed(project.parent, *arguments)
    assert done.returncode not in (0, 1)  # 1 is an error that nobody has thought of
    assert "Traceback" not in done.stderr
    assert named in done.stderr
    assert not done.stdout
    assert not (project.parent / "q").exists()
    assert not list(project.parent.glob("out*"))


def test_a_typing_error_does_not_start_a_run(mollia: Mollia, project: Path) -> None:
    wrong = mollia("round", "--strategy", "corset", "-p", "p", code=2)
    assert "did you mean 'coreset'" in wrong.stderr
    assert json.loads(mollia("status", "-p", "p", "--json", code=0).stdout)["run"] is None
