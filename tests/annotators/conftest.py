"""One annotator and one reference for all tests of the engine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mollia_cli.annotators.llama import GgufAnnotator
from mollia_cli.annotators.llama.binding.formats import reencode
from mollia_cli.domain.prompting import Decoding

from .oracle import LABELS, PROMPT, Reference


@pytest.fixture(scope="session")
def precise_llm(test_llm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test LLM's values as F32: its kernels round so little that tests can be sharp."""
    path = tmp_path_factory.mktemp("precise") / "test-llm.f32.gguf"
    reencode(test_llm, path, "F32", threads=1)
    return path


def annotators(precise_llm: Path) -> Iterator[Callable[..., GgufAnnotator]]:
    """One function that makes annotators, of the precise LLM if no other path is given; they are closed at the end."""
    made: list[GgufAnnotator] = []

    def annotator(decoding: Decoding | None = None, path: Path = precise_llm, **changes: object) -> GgufAnnotator:
        arguments = {"labels": LABELS, "prompt": PROMPT, "model_digest": "digest", "threads": 1} | changes
        made.append(GgufAnnotator("test", path, decoding=decoding or Decoding(), **arguments))  # type: ignore[arg-type]
        return made[-1]

    yield annotator
    for each in made:
        each.close()


@pytest.fixture
def make(precise_llm: Path) -> Iterator[Callable[..., GgufAnnotator]]:
    """Makes annotators for a test."""
    yield from annotators(precise_llm)


@pytest.fixture(scope="module")
def make_once(precise_llm: Path) -> Iterator[Callable[..., GgufAnnotator]]:
    """Makes annotators for all tests of a file."""
    yield from annotators(precise_llm)


@pytest.fixture(scope="session")
def reference(precise_llm: Path) -> Iterator[Reference]:
    """The slow reference on the precise LLM."""
    slow = Reference(precise_llm)
    yield slow
    slow.close()
