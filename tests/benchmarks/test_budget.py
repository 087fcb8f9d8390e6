"""benchmarks/budget.py: rules ask what they say, answers become labels, and the script runs and goes on."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Panel


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, load_benchmark: Callable[[str], ModuleType]) -> Any:
    made = load_benchmark("budget")
    monkeypatch.setattr(made, "FIRST", 20)
    monkeypatch.setattr(made, "MORE", 5)
    return made


def situation(script: Any, verdicts: Any, points: Any, log_probs: Any = None) -> Any:
    """Two labelled texts far apart, and a pool at ``points`` [m, 2] with ``verdicts`` [m, 2]."""
    rows = np.concatenate([np.array([[-3.0, 0.0], [3.0, 0.0]]), points])
    n = len(rows)
    if log_probs is None:
        log_probs = np.full((n, 1, 2), np.log(0.5))
    data = script.Material(LabelSet(("no", "yes")), ["text"] * n, n, {})
    data.panel = Panel(tuple(map(str, range(n))), ("llm",), log_probs, np.exp(log_probs))
    embedded = sys.modules["alternatives"].Embedded
    data.embedded["tiny"] = embedded(rows, rows[:, None], (0.0, 0.0), (0.0, 0.0))
    draw = script.Draw(np.arange(2), np.array([0, 1]), np.arange(2, n), 0)
    return script.Situation(data, draw, np.asarray(verdicts))


def test_doubt_and_margin_ask_about_other_texts(script: Any) -> None:
    seen = situation(script, [[0.9, 0.1], [0.5, 0.5], [0.6, 0.4]], np.zeros((3, 2)))
    assert np.argsort(-script.doubt(seen)).tolist() == np.argsort(-script.margin(seen)).tolist() == [1, 2, 0]
    three = script.Situation(seen.data, seen.draw, np.array([[0.4, 0.3, 0.3], [0.45, 0.45, 0.1], [0.9, 0.1, 0.0]]))
    assert script.doubt(three).argmax() == 0 and script.margin(three).argmax() == 1


def test_sampled_asks_more_often_about_what_is_in_doubt_and_not_always_the_same(script: Any) -> None:
    seen = situation(script, np.tile([[0.99, 0.01], [0.6, 0.4]], (50, 1)), np.zeros((100, 2)))
    asked = np.argsort(-script.sampled(seen))[:20]
    assert 10 < (asked % 2 == 1).sum() <= 20
    assert set(asked) != set(np.argsort(-script.doubt(seen))[:20])


def test_expected_change_is_largest_where_many_are_alike(script: Any) -> None:
    rng = np.random.default_rng(0)
    many, one = np.array([[0.0, 2.0]]) + rng.normal(0.0, 0.1, (20, 2)), np.array([[0.0, -6.0]])
    seen = situation(script, np.tile([[0.55, 0.45]], (21, 1)), np.concatenate([many, one]))
    found = script.change(seen)
    assert found[20] < found[:20].min()
    sure = script.Situation(seen.data, seen.draw, np.tile([[0.999, 0.001]], (21, 1)))
    assert script.change(sure).max() < found.min()  # an answer that is known changes nothing


def test_density_asks_where_members_differ_and_texts_are_typical(script: Any) -> None:
    points = np.array([[-3.0, 0.0], [-3.1, 0.0], [-2.9, 0.0], [3.0, 0.0]])
    log_probs = np.log(np.array([[[0.9, 0.1]], [[0.1, 0.9]], *[[[0.9, 0.1]]] * 2, [[0.1, 0.9]], [[0.1, 0.9]]]))
    found = script.density(situation(script, np.full((4, 2), 0.5), points, log_probs))
    assert found.argmax() == 2  # the LLM contradicts the encoder there


def test_answers_leave_the_pool_and_are_labels(script: Any) -> None:
    gold = np.array([0, 1, 1, 0, 1])
    draw = script.Draw(np.array([0, 1]), gold[:2], np.array([2, 3, 4]), 0)
    after = script.answered(draw, np.array([4, 2]), gold)
    assert (after.given.tolist(), after.labels.tolist(), after.pool.tolist()) == ([0, 1, 4, 2], [0, 1, 1, 1], [3])


def run(script: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, *more: str) -> None:
    command = ["budget.py", "--data", str(folder), "--encoders", str(folder / "tiny"), "--tokens", "16", "--pool", "30"]
    command += ["--outputs", str(folder / "outputs.npy"), "--unread", "5", "--seeds", "1", "--out", str(folder / "out")]
    monkeypatch.setattr(sys, "argv", [*command, *more])
    script.main()


@pytest.mark.proof
def test_the_script_measures_every_rule_and_goes_on_where_it_was(
    script: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(script, monkeypatch, folder, "--steps", "2", "--json")
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["rule"] for row in rows} == {*script.WAYS, "lr", "mixture-without-llms"}
    for name in {row["rule"] for row in rows}:
        own = [row for row in rows if row["rule"] == name]
        assert [row["labels"] for row in own] == [20, 25, 30]
        # what a person has labelled is right
        assert [round(row["pool"] * 30 - row["rest"] * (50 - row["labels"])) for row in own] == [0, 5, 10], name
    asked = {row["rule"]: row["asks"] for row in rows if row["labels"] == 20 and "asks" in row}
    assert all(len(set(asks)) == 5 for asks in asked.values())
    assert asked["doubt"] == asked["doubt:not-learned"] and asked["random"] == asked["random:calibrating"]
    later = {row["rule"]: row for row in rows if row["labels"] == 30}
    assert later["doubt:not-learned"]["over"] != later["doubt"]["over"]

    def never(*_: Any) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(script, "measure", never)
    monkeypatch.setattr(script, "logistic_on", never)
    run(script, monkeypatch, folder, "--steps", "2")
    printed = capsys.readouterr().out
    assert "| rest | 20 | 25 | 30 | beside random |" in printed and printed.count("| doubt | ") == 5
    with pytest.raises(AssertionError, match="measured again"):
        run(script, monkeypatch, folder, "--steps", "3", "--rules", "doubt")
