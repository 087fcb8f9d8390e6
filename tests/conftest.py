"""Fixtures: real models from MOLLIA_HOME (``make test`` fetches them), and small projects."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mollia_cli.domain.labels import LabelSet

TEST_LLM = "smollm2-135m-instruct"
TEST_ENCODER = "all-minilm-l6-v2"


@pytest.fixture(scope="session")
def test_llm() -> Path:
    """The GGUF file of a real small LLM."""
    from mollia_cli import models

    assert models.is_installed(TEST_LLM), f"run `make test`, or: mollia models pull {TEST_LLM}"
    return models.resolve_llm(TEST_LLM).path


@pytest.fixture(scope="session")
def test_encoder() -> Path:
    """The folder of a real small encoder."""
    from mollia_cli import models

    assert models.is_installed(TEST_ENCODER), f"run `make test`, or: mollia models pull {TEST_ENCODER}"
    return models.resolve_encoder(TEST_ENCODER)


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
