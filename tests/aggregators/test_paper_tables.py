"""benchmarks/paper_tables.py: nothing outside the 50 labels is read, and unknown names run."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mollia_cli.aggregators.features import interleave

from .panels import made_panel

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "paper_tables.py"
N = 100


@pytest.fixture(scope="module")
def tables(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("paper_tables")


@pytest.fixture(autouse=True)
def with_the_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the script itself, whose own folder is on the path."""
    monkeypatch.syspath_prepend(SCRIPT.parent)


@pytest.fixture
def features(tmp_path: Path) -> Path:
    panel, gold = made_panel(N, annotators=2, classes=3)
    np.save(tmp_path / "never_seen_meta_x.npy", interleave(panel.probabilities, panel.votes))
    np.save(tmp_path / "never_seen_meta_y.npy", np.eye(3, dtype=np.int64)[gold])
    with (tmp_path / "never_seen.jsonl").open("w", encoding="utf-8") as handle:
        for row in range(0, N, 2):
            text = f"the {['red', 'green', 'blue'][gold[row]]} one"
            handle.write(json.dumps({"meta_row": row, "text": text, "label": "must not be read"}) + "\n")
    return tmp_path


def test_labels_outside_the_fifty_change_no_prediction(tables: ModuleType, features: Path) -> None:
    data = tables.read_dataset(features / "never_seen_meta_x.npy")
    data.texts = tables.read_texts(features, data.name)
    data.features = tables.text_features(data.texts, N, None)
    given, others = tables.draw(N, 3)
    assert len(given) == 50 and not set(given) & set(others)
    shuffled = data.labels.copy()
    shuffled[others] = np.random.default_rng(0).permutation(shuffled[others])
    assert (shuffled != data.labels).any()
    other = tables.Dataset(data.name, data.panel, shuffled, data.texts, data.features)
    assert {"snail", "fixmatch"} <= tables.methods_for(data).keys()
    for name, method in tables.methods_for(data).items():
        true = method(data, given, data.labels[given], others, 3)
        np.testing.assert_array_equal(true, method(other, given, other.labels[given], others, 3), err_msg=name)


def test_predictions_do_depend_on_the_fifty(tables: ModuleType, features: Path) -> None:
    data = tables.read_dataset(features / "never_seen_meta_x.npy")
    given, others = tables.draw(N, 3)
    method = tables.methods_for(data)[tables.LLMS_ALONE]
    true = method(data, given, data.labels[given], others, 3)
    assert (true != method(data, given, (data.labels[given] + 1) % 3, others, 3)).any()


def test_labels_may_be_indices(tables: ModuleType, features: Path) -> None:
    one_hot = tables.read_dataset(features / "never_seen_meta_x.npy").labels
    np.save(features / "never_seen_meta_y.npy", one_hot)
    np.testing.assert_array_equal(tables.read_dataset(features / "never_seen_meta_x.npy").labels, one_hot)


def test_the_papers_settings_go_to_the_papers_data_sets(tables: ModuleType) -> None:
    assert tables.settings_for("molam", "pubmed-20k-rct")["max_depth"] == 3
    assert tables.settings_for("molam", "never_seen") == {}
    assert tables.settings_for("conditional_logit", "trec") == {}


def test_the_printed_json(features: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--features", str(features), "--texts", str(features), "--json"]
    done = subprocess.run(
        [*command, "--seeds", "2", "--methods", "vote,conditional_logit,conditional_logit+words"],
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout)["datasets"]["never_seen"]
    assert result["default"] == "conditional_logit+words"
    assert set(result["methods"]) == {"vote", "conditional_logit", "conditional_logit+words"}
    for row in result["methods"].values():
        assert set(row) == {"mean", "std", "seconds"}
        assert 0.4 < row["mean"] <= 1.0
    assert set(result["negatives"]) == {"all", "mean"}
    assert set(result["negatives"]["all"]) == {"true", "false"}
