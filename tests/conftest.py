"""Fixtures: real models from MOLLIA_HOME (``make test`` fetches them), doubles of them, and small projects."""

import importlib.util
import json
import os
import signal
import sys
import tomllib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import typer.testing
from doubles import FakeLLM, QuickLogit, QuickMoLAM, TinyLearner, fake_file, of_llms, stand_in, tiny_encoder
from typed import ONE_PROGRAM

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.annotators import ANNOTATORS
from mollia_cli.domain import network
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.rng import stream
from mollia_cli.learners import LEARNERS
from mollia_cli.machine.demo import LABELS, demo_messages
from mollia_cli.project import observe as annotation
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.ingest import ingest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run in two processes: threads of one would wait for the other's
TEST_LLM = "smollm2-135m-instruct"
TEST_ENCODER = "all-minilm-l6-v2"
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIZES = {"seed": 18, "pool": 40, "validation": 6, "test": 12}


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C works, here and in child processes, where the tests run in the background and it is ignored, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The guard is active in this test's process, as in every command, and is not after it."""
    one = network._Guard()
    monkeypatch.setattr(network, "_GUARD", one)
    network.guard()
    yield
    one.open = 1  # an audit hook stays for ever: this one lets everything through from now on


@pytest.fixture(scope="session", autouse=True)
def one_program() -> Iterator[None]:
    """Commands are put together once, and not at each call; who looks at their help puts together their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", ONE_PROGRAM)
        yield


@pytest.fixture(scope="session")
def test_llm() -> Path:
    """The GGUF file of a real small LLM."""
    from mollia_cli import models

    assert models.is_installed(TEST_LLM), f"run `make test`, or: mollia models pull {TEST_LLM}"
    return models.resolve_llm(TEST_LLM).path


@pytest.fixture(scope="session")
def quick_llm(test_llm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test LLM's values as BF16, as `mollia models tune` keeps them: read in a quarter of the time of its Q4_1."""
    from mollia_cli.annotators.llama.binding.formats import reencode

    path = tmp_path_factory.mktemp("quick") / f"{TEST_LLM}.gguf"
    reencode(test_llm, path, "BF16", threads=1)
    return path


@pytest.fixture(scope="session")
def shallow_llm(test_llm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test LLM's first four layers: for what is done to files, where what they say does not matter."""
    from mollia_cli.annotators.llama.binding.formats import reencode

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
    double = type("FakeLLM", (FakeLLM,), {"queue": deque(), "asked": [], "read": {}})
    stand_in(monkeypatch, ANNOTATORS, "llama", double)
    return double


@pytest.fixture
def tiny_learner(monkeypatch: pytest.MonkeyPatch) -> type[TinyLearner]:
    """Every classifier of this test is a TinyLearner."""
    double = type("TinyLearner", (TinyLearner,), {})
    for name in ("transformer", "linear"):
        stand_in(monkeypatch, LEARNERS, name, double)
    return double


@pytest.fixture
def quick_aggregators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every conditional logit of this test is a QuickLogit, and every MoLAM a QuickMoLAM."""
    for double in (QuickLogit, QuickMoLAM):
        stand_in(monkeypatch, AGGREGATORS, double.name, double)


@pytest.fixture(scope="session")
def load_benchmark() -> Callable[[str], ModuleType]:
    """Imports a script of benchmarks/ by its name; it can be found by it afterwards, as worker processes do."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        with pytest.MonkeyPatch.context() as path:
            path.syspath_prepend(BENCHMARKS)  # as of a script, whose own folder is on the path
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
def observed(tmp_path: Path, quick_aggregators: None) -> Iterator[Project]:
    """60 seed and 200 pool items of four labels, observed by three LLMs that are right on about half of them.

    The LLMs' files are empty shells: asking them would fail. It is the paper's loop, with a quicker aggregator.
    """
    members = [tmp_path / f"{name}.gguf" for name in ("ada", "bob", "cyd")]
    for path in members:
        path.write_bytes(b"GGUF" + path.name.encode())
    labels = LabelSet(("red", "green", "blue", "grey"))
    settings = new_settings(labels, panel=[str(path) for path in members], encoder="all-minilm-l6-v2")
    aggregate = replace(settings.aggregate, aggregator="conditional_logit")
    run = replace(settings.run, method="mollia")
    without = replace(settings.annotate, shots=0)
    create(tmp_path / "observed", of_llms(replace(settings, annotate=without, aggregate=aggregate, run=run)))
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


def small_settings(root: Path) -> None:
    """The paper's loop with the LLMs alone, and fewer epochs and items than a user would have; else as shipped.

    What is shipped is tested in tests/loop/test_defaults.py, with real models.
    """
    path = root / "mollia.toml"
    text = path.read_text()
    for old, new in (
        ("shots = -1", "shots = 0"),
        ("epochs = 40", "epochs = 2"),
        ("steps = 10", "steps = 2"),
        ("unlabelled = 500", "unlabelled = 10"),
        ("batch = 50", "batch = 5"),
        ("rounds = 5", "rounds = 10"),
        ('method = "distil"', 'method = "mollia"'),
        ('aggregator = "mixture"', 'aggregator = "conditional_logit"'),
        ('name = "linear"', 'name = "transformer"'),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


@pytest.fixture
def llm_selector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The strategy ``llm`` of examples/mollia-llm-selector, as if it were installed."""
    example = Path(__file__).parents[1] / "examples" / "mollia-llm-selector"
    about = tomllib.loads((example / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (info := tmp_path / "site" / "mollia_llm_selector.dist-info").mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
    ((name, place),) = about["entry-points"]["mollia.strategies"].items()
    (info / "entry_points.txt").write_text(f"[mollia.strategies]\n{name} = {place}\n")
    for folder in (example, info.parent):
        monkeypatch.syspath_prepend(folder)


@pytest.fixture
def make_project(
    tmp_path: Path, fake_llm: type[FakeLLM], tiny_learner: type[TinyLearner], quick_aggregators: None
) -> Iterator[Callable[..., Project]]:
    """Makes projects whose LLM and classifier are doubles: for what is between them."""
    yield from projects(tmp_path, fake_file(tmp_path, "fake-llm"), tiny_encoder(tmp_path / "tiny-encoder"))


@pytest.fixture
def make_real_project(tmp_path: Path, quick_llm: Path, test_encoder: Path) -> Iterator[Callable[..., Project]]:
    """Makes projects with a real LLM and encoder."""
    yield from projects(tmp_path, quick_llm, test_encoder)


def projects(tmp_path: Path, llm: Path, encoder: Path) -> Iterator[Callable[..., Project]]:
    """One function that makes projects of a few of the demo's messages; they are closed at the end."""
    opened: list[Project] = []

    def make(name: str = "project") -> Project:
        root = tmp_path / name
        labels = LabelSet(tuple(LABELS), tuple(LABELS.values()))
        create(root, of_llms(new_settings(labels, "message", "", [str(llm)], str(encoder))))
        small_settings(root)
        project = Project.open(root)
        opened.append(project)
        messages = demo_messages()
        for split, size in SIZES.items():
            rows = [json.dumps(message) for message in messages if message["split"] == split][:size]
            source = tmp_path / f"{split}.jsonl"
            source.write_text("\n".join(rows))
            assert ingest(project, source, split, name=str(source)).added == size
        return project

    yield make
    for project in opened:
        project.store.close()


@pytest.fixture
def stored_outputs(tmp_path: Path) -> Callable[[Project], Path]:
    """Writes lines as `mollia annotate` prints them, of two LLMs that are right on most items."""

    def write(project: Project) -> Path:
        rng, names = np.random.default_rng(0), project.labels.names
        path = tmp_path / "said.jsonl"
        with path.open("w") as handle:
            for split in ("seed", "pool"):
                for item in project.store.items.in_split(split):
                    for model in ("a", "b"):
                        z = rng.dirichlet(np.full(len(names), 0.3)) + 3 * (np.arange(len(names)) == item.label)
                        z /= z.sum()
                        record = {"id": item.id, "model": model, "votes": dict(zip(names, z, strict=True))}
                        record["log_probs"] = dict(zip(names, np.log(z + 1e-9), strict=True))
                        handle.write(json.dumps(record) + "\n")
        return path

    return write
