"""Small encoders of every supported class, randomly initialised and saved to disk."""

from pathlib import Path

import pytest
from learner_cases import save_encoder


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    return {kind: save_encoder(root / kind, kind) for kind in ("bert", "distilbert", "roberta", "mpnet")}


@pytest.fixture
def encoder(encoders: dict[str, Path]) -> Path:
    return encoders["bert"]
