"""Small projects, with doubles of an LLM and a classifier or with real ones, and stored outputs."""

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles import FakeLLM, TinyLearner, fake_file, tiny_encoder

from mollia_cli.domain.labels import LabelSet
from mollia_cli.workflow.create import create, new_settings
from mollia_cli.workflow.demo import LABELS, demo_messages
from mollia_cli.workflow.ingest import ingest
from mollia_cli.workflow.project import Project

SIZES = {"seed": 18, "pool": 40, "validation": 6, "test": 12}


def small_settings(root: Path) -> None:
    """Fewer epochs and items than a user would have; everything else as shipped."""
    path = root / "mollia.toml"
    text = path.read_text()
    for old, new in (
        ("epochs = 40", "epochs = 2"),
        ("unlabelled = 500", "unlabelled = 10"),
        ("batch = 50", "batch = 5"),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


@pytest.fixture
def llm_selector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The strategy ``llm`` of examples/mollia-llm-selector, as if it were installed."""
    example = Path(__file__).parents[2] / "examples" / "mollia-llm-selector"
    about = tomllib.loads((example / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (info := tmp_path / "site" / "mollia_llm_selector.dist-info").mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
    ((name, place),) = about["entry-points"]["mollia.strategies"].items()
    (info / "entry_points.txt").write_text(f"[mollia.strategies]\n{name} = {place}\n")
    for folder in (example, info.parent):
        monkeypatch.syspath_prepend(folder)


@pytest.fixture
def make_project(
    tmp_path: Path, fake_llm: type[FakeLLM], tiny_learner: type[TinyLearner]
) -> Iterator[Callable[..., Project]]:
    """Makes projects whose LLM and classifier are doubles: for what is between them."""
    yield from projects(tmp_path, fake_file(tmp_path, "fake-llm"), tiny_encoder(tmp_path / "tiny-encoder"))


@pytest.fixture
def make_real_project(tmp_path: Path, test_llm: Path, test_encoder: Path) -> Iterator[Callable[..., Project]]:
    """Makes projects with a real LLM and encoder."""
    yield from projects(tmp_path, test_llm, test_encoder)


def projects(tmp_path: Path, llm: Path, encoder: Path) -> Iterator[Callable[..., Project]]:
    """One function that makes projects of a few of the demo's messages; they are closed at the end."""
    opened: list[Project] = []

    def make(name: str = "project") -> Project:
        root = tmp_path / name
        labels = LabelSet(tuple(LABELS), tuple(LABELS.values()))
        create(root, new_settings(labels, "message", "", [str(llm)], str(encoder)))
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
