"""One loaded annotator and one reference for all tests of the engine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mollia_cli.annotators.gguf import GgufAnnotator
from mollia_cli.domain.prompting import Decoding

from .oracle import LABELS, PROMPT, Reference


@pytest.fixture
def make(test_llm: Path) -> Iterator[Callable[..., GgufAnnotator]]:
    """Makes annotators of the test LLM, one thread each; closes them at the end."""
    made: list[GgufAnnotator] = []

    def annotator(decoding: Decoding | None = None, **changes: object) -> GgufAnnotator:
        arguments = {"labels": LABELS, "prompt": PROMPT, "model_digest": "digest", "threads": 1} | changes
        made.append(GgufAnnotator("test", test_llm, decoding=decoding or Decoding(), **arguments))  # type: ignore[arg-type]
        return made[-1]

    yield annotator
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def reference(test_llm: Path) -> Iterator[Reference]:
    """The slow reference on the test LLM."""
    slow = Reference(test_llm)
    yield slow
    slow.close()
