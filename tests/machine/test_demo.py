"""``mollia demo`` between doubles of its models: what it prints. ``make demo`` runs it on the real ones."""

import json
from pathlib import Path

import pytest
from doubles import FakeLLM, TinyLearner, fake_file, tiny_encoder
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.machine import demo


def test_the_demo_prints_one_json_object(
    fake_llm: type[FakeLLM], tiny_learner: type[TinyLearner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "PANEL", (str(fake_file(tmp_path, "ada")), str(fake_file(tmp_path, "bob"))))
    monkeypatch.setattr(demo, "ENCODER", str(tiny_encoder(tmp_path / "encoder")))
    done = CliRunner().invoke(app, ["demo", str(tmp_path / "demo"), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [record["round"] for record in found["rounds"]] == [0, 1, 2]
    assert {"ada", "bob", "vote"} <= {score["name"] for score in found["scores"]}
    assert 0 <= found["oracle"]["test_micro_f1"] <= 1
