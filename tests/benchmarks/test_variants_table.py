"""benchmarks/variants.py: what is drawn and what is counted; the panel itself is in tests/loop/test_variants.py."""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mollia_cli.domain.observations import Panel


@pytest.fixture(scope="module")
def variants(load_benchmark: Callable[[str], ModuleType]) -> Any:
    return load_benchmark("variants")


class Recorded:
    """A project that is told of items, and answers "b" to all."""

    def __init__(self) -> None:
        self.told: dict[str, list[dict[str, str]]] = {}
        self.store = SimpleNamespace(variants=SimpleNamespace(get=lambda kind, ids: {}))

    def __enter__(self) -> "Recorded":
        return self

    def __exit__(self, *_exc: object) -> None:
        pass

    def import_(self, records: list[dict[str, str]], split: str) -> None:
        self.told[split] = records

    def annotate(self, split: str) -> Panel:
        ids = tuple(record["id"] for record in self.told[split])
        return Panel(ids, ("llm",), np.log(np.tile([0.8, 0.2], (len(ids), 1, 1))), np.ones((len(ids), 1, 2)) / 2)

    def aggregate(self, method: str) -> SimpleNamespace:
        assert method == "da"
        return SimpleNamespace(verdicts=[SimpleNamespace(item_id=r["id"], label=1) for r in self.told["pool"]])


def test_the_pool_comes_without_labels_and_is_measured_with_them(
    variants: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    labels = {f"text {n}": "ab"[n % 3 == 0] for n in range(90)}
    project = Recorded()
    monkeypatch.setattr(variants, "opened", lambda *_: project)
    monkeypatch.setattr(variants, "members", lambda _: [])
    options = argparse.Namespace(out=tmp_path, pool=40, methods=["da"])
    found = variants.measure(labels, 0, options)
    seeds, pool = project.told["seed"], project.told["pool"]
    assert (len(seeds), len(pool)) == (50, 40) and not {r["text"] for r in seeds} & {r["text"] for r in pool}
    assert all(record["label"] == labels[record["text"]] for record in seeds)
    assert not any("label" in record for record in pool)
    share = sum(labels[record["text"]] == "b" for record in pool) / 40
    assert 0.2 < share < 0.5
    assert found.accuracy == {"llm": pytest.approx(1 - share), "da": pytest.approx(share)}
    assert found.usable == {"words": 0, "paraphrase": 0}


def test_texts_that_stand_there_twice_are_one(variants: Any, write: Callable[[str, str], Path]) -> None:
    lines = '{"text": "x", "label": "a", "more": 1}\n{"text": "y", "label": "b"}\n{"text": "x", "label": "b"}\n'
    assert variants.read(write("train.jsonl", lines)) == {"x": "a", "y": "b"}


def test_the_table_has_every_set(variants: Any) -> None:
    found = [
        variants.Measured({"vote": right, "da": 0.25}, {"words": n, "paraphrase": 5}, {"words": 0.5, "paraphrase": 1.0})
        for right, n in ((0.5, 140), (0.7, 150))
    ]
    lines = variants.table(found).splitlines()
    assert lines[2:4] == ["| vote | 0.600 ± 0.141 | 0.500 0.700 |", "| da | 0.250 ± 0.000 | 0.250 0.250 |"]
    assert lines[5].startswith("words: 140, 150 usable variants of 50 seeds; same label 0.500")
