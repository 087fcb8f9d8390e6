"""``mollia demo`` with a double of its LLM and a real encoder: what it prints; ``make demo`` has the real ones."""

import json
from pathlib import Path

import pytest
from doubles import FakeLLM, fake_file
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.machine import demo


@pytest.mark.proof
def test_the_demo_prints_one_json_object(
    fake_llm: type[FakeLLM], test_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "LLM", str(fake_file(tmp_path, "ada")))
    monkeypatch.setattr(demo, "ENCODERS", (str(test_encoder),))
    monkeypatch.setattr(demo, "DRAWS", 2)
    monkeypatch.setattr(demo, "SIZES", (50, 200))
    done = CliRunner().invoke(app, ["demo", str(tmp_path / "demo"), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [record["round"] for record in found["rounds"]] == [0, 1, 2]
    few, many, ours, every = found["comparison"]
    assert (few["labels"], many["labels"], ours["labels"], every["labels"]) == (50, 200, 50, 482)
    # the same head on more true labels is better, and on all of them best
    assert 0.3 < few["accuracy"] < many["accuracy"] < every["accuracy"] <= 1
    assert found["labels_needed"] is None or 50 <= found["labels_needed"] <= 482


@pytest.mark.parametrize(
    ("accuracy", "labels"), [(0.5, 50), (0.6, 50), (0.65, 75), (0.7, 100), (0.75, 150), (0.8, 200), (0.81, None)]
)
def test_labels_are_read_off_the_curve(accuracy: float, labels: int | None) -> None:
    assert demo.labels_needed([(50, 0.6), (100, 0.7), (200, 0.8)], accuracy) == labels
