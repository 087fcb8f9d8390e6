"""The fuzzing script: sound inputs are read, cut ones refused, and what fuzzing has found stays mended.

``fuzzed/`` holds the inputs that showed a fault, each called TARGET-WHAT.
"""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mollia_cli.domain.errors import MolliaError
from mollia_cli.models.unbundle import BundleError

FOUND = sorted((Path(__file__).parent / "fuzzed").iterdir())
TARGETS = (
    *("csv", "tsv", "jsonl", "lines", "sniffed", "parquet"),
    *("settings", "catalogue", "bundle", "gguf", "safetensors", "merge"),
)


@pytest.fixture
def fuzz(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("fuzz")


def test_every_target_is_tested(fuzz: ModuleType) -> None:
    assert tuple(fuzz.TARGETS) == TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_sound_input_is_read_and_no_part_of_it_crashes(fuzz: ModuleType, name: str) -> None:
    target = fuzz.TARGETS[name]
    examine, (sound, *_) = target.load(), target.seeds()
    examine(sound)
    for end in range(0, len(sound), max(1, len(sound) // 40)):
        try:
            examine(sound[:end] + b"\xff" * (end % 3))
        except (MolliaError, BundleError) as error:
            assert error.message and error.hint


@pytest.mark.parametrize("found", FOUND, ids=lambda path: path.name)
def test_what_fuzzing_has_found_is_refused(fuzz: ModuleType, found: Path) -> None:
    with pytest.raises(MolliaError):
        fuzz.TARGETS[found.name.split("-")[0]].load()(found.read_bytes())
