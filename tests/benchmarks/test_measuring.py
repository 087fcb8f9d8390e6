"""benchmarks/measuring.py: intervals of what was drawn at random hold what they should, others do not."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.domain.rng import stream


@pytest.fixture(scope="module")
def measuring(load_benchmark: Callable[[str], ModuleType]) -> Any:
    load_benchmark("paper_tables")
    return load_benchmark("measuring")


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Two LLMs on 1,500 items: nine in ten are plain to both, the rest are guesses, each with other shares."""
    rng = stream(0, "measuring")
    gold = rng.integers(0, 3, 1500)
    hard = rng.random(1500) < 0.1
    shares = rng.dirichlet(np.ones(3), (1500, 2))
    easy = np.full((1500, 2, 3), 0.01)
    easy[np.arange(1500), :, gold] = 0.98
    z = np.where(hard[:, None, None], shares, easy)
    np.save(tmp_path / "made_meta_x.npy", np.stack([z, z], axis=2).reshape(1500, 4, 3))
    np.save(tmp_path / "made_meta_y.npy", gold)
    return tmp_path


def test_intervals_cover_as_often_as_they_should(measuring: Any, features: Path) -> None:
    data = measuring.read_dataset(features / "made_meta_x.npy")
    table = measuring.measure(data, 100, 500, "mean_logits")
    for way in ("half", "random"):
        assert table[way]["covered"] >= 0.9, way
        assert table[way]["adds_covered"] >= 0.9, way
        assert abs(table[way]["said"] - table[way]["true"]) < 0.02, way
        assert abs(table[way]["ece_said"] - table[way]["ece_true"]) < 0.03, way
    assert table["random"]["ece_plain"] - table["random"]["ece_true"] > 0.015  # what chance adds
    for way in ("typical", "doubtful"):
        assert table[way]["covered"] < 0.5, way
        assert table[way]["said"] < table[way]["true"] - 0.1, way


@pytest.mark.parametrize("name", ["measuring", "promise"])
def test_what_is_measured_is_named_and_needs_no_text(
    measuring: Any,
    load_benchmark: Callable[[str], ModuleType],
    features: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """The default aggregator would silently be another one on stored outputs."""
    script = load_benchmark(name)
    made = [{"target": target, "answered": False, "oracle": 0.5} for target in (0.8, 0.9, 0.95)]
    monkeypatch.setattr(script, "measure", lambda *_: {} if name == "measuring" else made)
    for wanted in ("conditional_logit", "single"):
        asked = [] if wanted == "conditional_logit" else ["--aggregator", wanted]
        monkeypatch.setattr(sys, "argv", [name, "--features", str(features), "--json", *asked])
        script.main()
        assert json.loads(capsys.readouterr().out)["aggregator"] == wanted
        assert not AGGREGATORS.load(wanted).reads


def test_the_measured_half_is_the_one_drawn_at_random(measuring: Any, features: Path) -> None:
    data = measuring.read_dataset(features / "made_meta_x.npy")
    pool = np.arange(200)
    seeds, measured = measuring.choose(data, pool, "half", None, stream(1, "half"))
    assert len(set(seeds.tolist())) == 50
    others = np.setdiff1d(pool, np.delete(seeds, measured))
    np.testing.assert_array_equal(seeds[measured], others[:25])
    every, all_of_them = measuring.choose(data, pool, "random", None, stream(1, "random"))
    np.testing.assert_array_equal(every[all_of_them], pool[:50])
