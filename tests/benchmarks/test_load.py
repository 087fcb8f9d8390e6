"""benchmarks/load.py: the texts, and what is counted of a process."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def load(load_benchmark: Callable[[str], ModuleType]) -> Any:
    return load_benchmark("load")


def test_texts_are_as_many_and_as_long_as_was_said(load: Any, tmp_path: Path) -> None:
    load.write_texts(tmp_path, 1_500)
    texts = [json.loads(line)["text"] for line in (tmp_path / "large.jsonl").read_text().splitlines()]
    assert len(texts) == len(set(texts)) == 1_500
    assert {len(text.split()) for text in texts} == {50}
    assert len((tmp_path / "seed.jsonl").read_text().splitlines()) == load.SEEDS


def test_a_process_is_measured_to_its_end(load: Any) -> None:
    cost = load.measured("x", [sys.executable, "-c", "held = bytearray(60_000_000)"])
    assert cost.peak > 60 and 0 < cost.cpu < 30
    with pytest.raises(SystemExit, match="ended with 3"):
        load.measured("x", [sys.executable, "-c", "raise SystemExit(3)"])
