"""benchmarks/promise.py: what it counts, and that over-confident verdicts keep their promise."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mollia_cli.aggregators.features import interleave
from mollia_cli.domain.rng import stream

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "promise.py"


@pytest.fixture(scope="module")
def promise(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    sys.path.insert(0, str(SCRIPT.parent))  # as for a script that is run
    try:
        return load_benchmark("promise")
    finally:
        sys.path.remove(str(SCRIPT.parent))


@pytest.fixture
def overconfident(tmp_path: Path) -> Path:
    """Two LLMs that err together on one text in six, and are nearly certain throughout."""
    rng = stream(9, "overconfident")
    n, classes = 600, 3
    gold = rng.integers(0, classes, n)
    common = rng.normal(0.0, 1.0, (n, 1, classes))
    common[np.arange(n), 0, gold] += 2.2
    logits = 6.0 * (common + rng.normal(0.0, 0.3, (n, 2, classes)))
    z = np.exp(logits - logits.max(axis=2, keepdims=True))
    z /= z.sum(axis=2, keepdims=True)
    np.save(tmp_path / "new_meta_x.npy", interleave(z, np.round(10 * z) / 10))
    np.save(tmp_path / "new_meta_y.npy", np.eye(classes)[gold])
    return tmp_path


def test_a_table_of_every_target(
    promise: ModuleType, overconfident: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["promise", "--features", str(overconfident), "--draws", "12", "--aggregator", "single"]
    monkeypatch.setattr(sys, "argv", [*command, "--json"])
    promise.main()
    found = json.loads(capsys.readouterr().out)
    assert found["level"] == 0.8
    table = found["datasets"]["new"]
    assert list(table) == ["0.8", "0.9", "0.95"]
    for row in table.values():
        assert row["draws"] == 12
        assert row["missed"] <= 0.2
    assert table["0.8"]["answered"] > 0.5
    assert table["0.8"]["coverage"] / table["0.8"]["oracle"] > 0.5
    monkeypatch.setattr(sys, "argv", [*command[:3], "--draws", "2", "--aggregator", "single"])
    promise.main()
    assert "answered" in capsys.readouterr().out


def test_kept_and_oracle_by_hand(promise: ModuleType) -> None:
    confidence = np.array([0.9, 0.9, 0.8, 0.7, 0.6])
    right = np.array([True, False, True, True, False])
    assert promise.kept(confidence, right, 0.8) == (pytest.approx(2 / 3), pytest.approx(0.6))
    assert promise.kept(confidence, right, 0.95) == (1.0, 0.0)
    assert promise.oracle_coverage(confidence, right, 0.75) == pytest.approx(0.8)
    # the surest two are equally sure: no threshold takes the one that is right alone
    assert promise.oracle_coverage(confidence, right, 0.9) == 0.0


def test_a_broken_promise_is_counted(promise: ModuleType) -> None:
    answers = [{"target": t, "answered": True, "oracle": 0.5, "coverage": 0.6, "precision": 0.85} for t in (0.8, 0.9)]
    silent = [{"target": t, "answered": False, "oracle": 0.1} for t in (0.8, 0.9, 0.95)]
    table = promise.summary([*answers, *silent])
    assert table["0.8"]["missed"] == 0.0 and table["0.9"]["missed"] == 0.5
    assert (table["0.9"]["answered"], table["0.9"]["oracle"], table["0.9"]["oracle_of_all"]) == (0.5, 0.5, 0.3)
    assert table["0.95"]["coverage"] is None and table["0.95"]["worst"] is None
