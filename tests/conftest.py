"""Fixtures: real models from MOLLIA_HOME (``make test`` fetches them), and small projects."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mollia_cli.domain.labels import LabelSet

TEST_LLM = "smollm2-135m-instruct"
TEST_ENCODER = "all-minilm-l6-v2"
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="session")
def test_llm() -> Path:
    """The GGUF file of a real small LLM."""
    from mollia_cli import models

    assert models.is_installed(TEST_LLM), f"run `make test`, or: mollia models pull {TEST_LLM}"
    return models.resolve_llm(TEST_LLM).path


@pytest.fixture(scope="session")
def shallow_llm(test_llm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test LLM's first four layers: for what is done to files, where what they say does not matter."""
    from mollia_cli.annotators.gguf.formats import reencode

    path = tmp_path_factory.mktemp("shallow") / test_llm.name
    reencode(test_llm, path, "", threads=1, layers=4)
    return path


@pytest.fixture(scope="session")
def test_encoder() -> Path:
    """The folder of a real small encoder."""
    from mollia_cli import models

    assert models.is_installed(TEST_ENCODER), f"run `make test`, or: mollia models pull {TEST_ENCODER}"
    return models.resolve_encoder(TEST_ENCODER)


@pytest.fixture(scope="session")
def load_benchmark() -> Callable[[str], ModuleType]:
    """Imports a script of benchmarks/ by its name; it can be found by it afterwards, as worker processes do."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def labels() -> LabelSet:
    """Three labels."""
    return LabelSet(("billing", "results", "complaint"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a file in the test's folder."""

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file
