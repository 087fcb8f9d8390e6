"""Nothing that is typed is ignored: options that would have no effect are refused, both by their names."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mollia_cli.cli import common
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.project.context import Project


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("annotate --cascade ada,bob --model ada", ["--cascade", "--model"]),
        ("annotate --cascade ada,bob --show-invalid 2", ["--cascade", "--show-invalid"]),
        ("annotate ids.txt --split pool", ["--split", "ids.txt"]),
        ("annotate --threshold 0.9", ["--threshold", "--cascade"]),
        ("aggregate --threshold 0.9", ["--threshold", "--cascade"]),
        ("aggregate --cascade ada,bob --target-precision 0.9", ["--cascade", "--target-precision"]),
        ("aggregate --cascade ada,bob --summary", ["--cascade", "--summary"]),
        ("aggregate --confidence-level 0.9", ["--confidence-level", "--target-precision"]),
        ("aggregate --summary --json", ["--summary", "--json"]),
        ("predict texts.txt -o labels.csv --json", ["-o", "--json"]),
        ("predict texts.txt -o labels.xlsx", ["'labels.xlsx'", ".csv"]),
        ("prompt show i000 --text hello", ["--text", "i000"]),
        ("sql --csv --json", ["--csv", "--json"]),
        ("report -o page.html --json", ["-o", "--json"]),
        ("report --no-texts panel", ["--texts", "'panel'"]),
        ("doctor --offline", ["--offline", "-p"]),
        ("export labels --raw", ["--raw", "jsonl"]),
        ("export labels -o labels.parquet --raw", ["--raw", "parquet"]),
        ("export labels --needs-review --min-confidence 0.9", ["--needs-review", "--min-confidence"]),
        ("export labels --needs-review --synthetic", ["--needs-review", "--synthetic"]),
        ("export labels --target-precision 0.9", ["--target-precision", "--needs-review"]),
        ("review --plain --disagreements --overlap 5", ["--disagreements", "--overlap"]),
        ("review --plain --disagreements --below 0.7", ["--disagreements", "--below"]),
        ("review --plain --disagreements --strategy random", ["--disagreements", "--strategy"]),
        ("export dataset -o data --format csv", ["'csv'", "jsonl"]),
        ("import in.jsonl --raw", ["--raw", "jsonl"]),
        ("round --cascade ada,bob --annotator oracle", ["--cascade", "oracle"]),
        ("run --cascade ada,bob --annotator human", ["--cascade", "human"]),
        ("estimate --cascade ada,bob --annotator oracle", ["--cascade", "oracle"]),
        ("review --plain --web", ["--plain", "--web"]),
        ("label --plain --port 8000", ["--port", "--web"]),
        ("run --threshold 0.9", ["--threshold", "--cascade"]),
        ("round --paper --threshold 0.9", ["--threshold", "--cascade"]),
        ("estimate --threshold 0.5", ["--threshold", "--cascade"]),
    ],
)
def test_what_would_be_ignored_is_refused(
    observed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, named: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("in.jsonl", '{"text": "x"}\n'), ("texts.txt", "x\n"), ("ids.txt", "i000\n")):
        (tmp_path / name).write_text(text)
    before = observed.store.verify()
    words = typed.split()
    where = words.index("panel") + 1 if typed.startswith("report --no") else len(words)
    result = CliRunner().invoke(app, [*words[:where], "-p", str(observed.root), *words[where:]])
    error = result.exception
    assert isinstance(error, InputError), result.output
    assert all(name in f"{error.message} {error.hint}" for name in named) and error.hint
    assert not result.stdout
    assert observed.store.verify() == before
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(("labels", "page", "data"))]


def test_models_remove_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path))
    for name in ("one", "two"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "weights").write_bytes(b"x" * 3_000_000)
    there = lambda: sorted(path.name for path in (tmp_path / "models").iterdir())  # noqa: E731
    nobody = CliRunner().invoke(app, ["models", "remove", "one"], input="yes\n")
    assert isinstance(nobody.exception, RefusedError) and "--yes" in nobody.exception.hint
    assert there() == ["one", "two"]
    monkeypatch.setattr(common, "somebody_answers", lambda: True)
    refused = CliRunner().invoke(app, ["models", "remove", "one", "two"], input="no\n")
    assert isinstance(refused.exception, RefusedError) and "one, two (6 MB) will be deleted" in refused.stderr
    assert there() == ["one", "two"]
    assert CliRunner().invoke(app, ["models", "remove", "one"], input="yes\n").exit_code == 0
    assert there() == ["two"]
    assert CliRunner().invoke(app, ["models", "remove", "two", "nobody", "--yes"]).exception is not None
    assert there() == ["two"]
    assert CliRunner().invoke(app, ["models", "remove", "two", "--yes"]).exit_code == 0
    assert there() == []


def test_predict_writes_a_file_whole_or_not_at_all(make_project: Callable[..., Project], tmp_path: Path) -> None:
    root = str(make_project().root)
    run = CliRunner().invoke(app, ["run", "--rounds", "0", "-p", root, "--json"])
    assert run.exit_code == 0, run.output
    (tmp_path / "new.csv").write_text("text,id\nWhere is my bill?,a\nI need more tablets,b\n")
    for name in ("labels.csv", "labels.jsonl"):
        out = tmp_path / name
        done = CliRunner().invoke(app, ["predict", str(tmp_path / "new.csv"), "-o", str(out), "-p", root])
        assert done.exit_code == 0 and not done.stdout and f"2 labels written to {out}" in done.stderr
        lines = out.read_text(encoding="utf-8").splitlines()
        assert len(lines) == (3 if name.endswith("csv") else 2)
        assert lines[-2].startswith("a,," if name.endswith("csv") else '{"id": "a", "label": ')
    failed = CliRunner().invoke(app, ["predict", str(tmp_path / "none.csv"), "-o", str(tmp_path / "x.csv"), "-p", root])
    assert failed.exception is not None and not (tmp_path / "x.csv").exists()
