"""benchmarks/paper_curves.py: which run a cell is, and what is written of it."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def curves(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("paper_curves")


@pytest.fixture
def options(tmp_path: Path) -> argparse.Namespace:
    np.save(tmp_path / "x.npy", np.arange(3 * 4 * 2, dtype=float).reshape(3, 4, 2))
    train = [("a b", "x", 0), ("c d", "y", 1), ("held", "x", 2), ("a b", "x", 0), ("no outputs", "y", None)]
    rows = [{"text": text, "label": label, "meta_row": row} for text, label, row in train]
    (tmp_path / "train.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (tmp_path / "test.jsonl").write_text('{"text": "held", "label": "y"}\n{"text": "held", "label": "y"}')
    return argparse.Namespace(
        data=tmp_path, outputs=tmp_path / "x.npy", out=tmp_path, rounds=2, batch=5, pool_sample=0, aggregator="mol",
        strategies=["random"], annotators=["mollia", "vote", "llm2", "oracle", "distil"], variants=["A", "D"],
        labels=["y", "x"], first_seed=3, seeds=2,
    )  # fmt: skip


def test_the_ablations_and_sensitivities(curves: Any) -> None:
    assert curves.variant_changes("A") == {}
    assert curves.variant_changes("B") == {"alpha": 1.0}
    assert curves.variant_changes("C") == {"lambda_start": 0.0, "lambda_end": 0.0}
    assert curves.variant_changes("D") == curves.variant_changes("B") | curves.variant_changes("C")
    assert curves.variant_changes("alpha=0.3") == {"alpha": 0.3}
    assert curves.variant_changes("lambda=0.4-1") == {"lambda_start": 0.4, "lambda_end": 1.0}
    with pytest.raises(SystemExit):
        curves.variant_changes("E")


def test_items_are_those_with_outputs_and_not_of_the_test(curves: Any, options: argparse.Namespace) -> None:
    labels, pool, test = curves.read_items(options)
    assert labels.names == ("y", "x")
    assert [(item.id, item.label) for item in pool] == [("0", 1), ("1", 0)]
    assert [item.text for item in test] == ["held"]


def test_every_annotator_is_a_run(curves: Any, options: argparse.Namespace) -> None:
    cells = list(curves.cells(options))
    assert len(cells) == 2 * (2 + 4)
    assert {cell.seed for cell in cells} == {3, 4}
    runs = {cell.curve: curves.run_options(cell, options) for cell in cells}
    assert runs["random-oracle"]["annotator"] == "oracle"
    assert runs["random-mollia-A"]["aggregator"] == "mol"
    assert "alpha" not in runs["random-mollia-A"]
    assert {curve for curve, run in runs.items() if run["method"] != "mollia"} == {"random-distil"}
    assert runs["random-vote"]["alpha"] == runs["random-mollia-D"]["alpha"] == 1.0
    np.testing.assert_array_equal(np.load(runs["random-llm2"]["replay"]), np.load(options.outputs)[:, 2:])


def test_curves_are_means_over_seeds(
    curves: Any, options: argparse.Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = []
    for annotator, score in (("oracle", 0.9), ("vote", 0.8)):
        for seed in (3, 4):
            for number in (0, 1, 2):
                rows.append(
                    {
                        **{"strategy": "random", "annotator": annotator, "variant": "", "seed": seed},
                        **{"round": number, "labelled": 50 + 5 * number, "seconds": 1.0, "verdict_accuracy": score},
                        "test_micro_f1": score + 0.01 * (seed - 3),
                    }
                )
    curves.write(rows, options)
    curves.show(rows, options)
    assert len((options.out / "curves.csv").read_text().splitlines()) == 13
    assert json.loads((options.out / "curves.json").read_text())["rounds"] == rows
    assert (options.out / "curves-random.svg").read_text().count('opacity="0.15"') == 2
    printed = capsys.readouterr().out
    assert "0.805 ± 0.007" in printed
    assert "10.0 points" in printed
