"""Fixtures: real models from MOLLIA_HOME (``make test`` fetches them), doubles of them, and small projects."""

import importlib.util
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from doubles import FakeLLM, TinyLearner, stand_in

from mollia_cli.annotators import ANNOTATORS
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.rng import stream
from mollia_cli.learners import LEARNERS
from mollia_cli.workflow import annotate as annotation
from mollia_cli.workflow.create import create, new_settings
from mollia_cli.workflow.project import Project

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run in two processes: threads of one would wait for the other's
TEST_LLM = "smollm2-135m-instruct"
TEST_ENCODER = "all-minilm-l6-v2"
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C works, here and in child processes, where the tests run in the background and it is ignored, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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


@pytest.fixture
def fake_llm(monkeypatch: pytest.MonkeyPatch) -> type[FakeLLM]:
    """Every LLM of this test is a FakeLLM, with a queue of the test's own."""
    double = type("FakeLLM", (FakeLLM,), {"queue": deque(), "asked": []})
    stand_in(monkeypatch, ANNOTATORS, "gguf", double)
    return double


@pytest.fixture
def tiny_learner(monkeypatch: pytest.MonkeyPatch) -> type[TinyLearner]:
    """Every classifier of this test is a TinyLearner."""
    double = type("TinyLearner", (TinyLearner,), {})
    stand_in(monkeypatch, LEARNERS, "transformer", double)
    return double


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


@pytest.fixture
def observed(tmp_path: Path) -> Iterator[Project]:
    """60 seed and 200 pool items of four labels, observed by three LLMs that are right on about half of them.

    The LLMs' files are empty shells: asking them would fail.
    """
    members = [tmp_path / f"{name}.gguf" for name in ("ada", "bob", "cyd")]
    for path in members:
        path.write_bytes(b"GGUF" + path.name.encode())
    labels = LabelSet(("red", "green", "blue", "grey"))
    create(
        tmp_path / "observed", new_settings(labels, panel=[str(path) for path in members], encoder="all-minilm-l6-v2")
    )
    rng = stream(0, "observed project")
    gold = rng.integers(0, 4, 260)
    logits = rng.normal(0.0, 1.0, (260, 3, 4))
    logits[np.arange(260), :, gold] += 1.3
    z = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    items = [Item(f"i{n:03d}", f"text {n}", "seed" if n < 60 else "pool", int(gold[n])) for n in range(260)]
    with Project.open(tmp_path / "observed") as project:
        with project.store.transaction():
            project.store.items.add(items, "made up")
        for column, member in enumerate(annotation.members(project)):
            batch = [
                Observation(item.id, np.log(z[n, column]), rng.multinomial(10, z[n, column]) / 10, 1.0, 0.0, tokens=9)
                for n, item in enumerate(items)
            ]
            project.store.observations.add(member.key, batch)
        yield project
