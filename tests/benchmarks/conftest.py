"""What benchmarks that classify texts are run on."""

import json
from pathlib import Path

import numpy as np
import pytest
from learners.learner_cases import save_encoder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """60 training and 20 test texts of two labels, an untrained encoder, and two LLMs that are often right."""
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 2, 80)
    words = [" ".join(f"w{30 * label + word}" for word in rng.integers(0, 30, 6)) for label in gold]
    rows = [
        {"text": t, "label": ("no", "yes")[k], "meta_row": n} for n, (t, k) in enumerate(zip(words, gold, strict=True))
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows[:60])))
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows[60:])))
    z = np.full((80, 4, 2), 0.3)
    z[np.arange(80), :, np.where(rng.random(80) < 0.8, gold, 1 - gold)] = 0.7
    np.save(tmp_path / "outputs.npy", z)
    save_encoder(tmp_path / "tiny", "bert")
    return tmp_path
