"""Batched equals alone: whole-label probabilities of 200 questions in full batches, and of each by itself."""

from pathlib import Path

import numpy as np
import pytest

from mollia_cli.annotators.llama import GgufAnnotator
from mollia_cli.annotators.llama.binding.formats import reencode
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.prompting import Decoding
from mollia_cli.machine.bench import bench_prompt

pytestmark = pytest.mark.proof

LABELS = LabelSet(("abbreviation", "entity", "description", "human", "location", "numeric"))
ASKED = (
    "What is {}?",
    "Who first wrote about {}?",
    "Where would one find {}?",
    "How many kinds of {} are there?",
    "When did people begin to use {}?",
    "Which country is known for {}?",
    "What does the word {} stand for?",
    "Who sells {} near the station?",
)
ABOUT = (
    *("a steam engine", "rice", "the printing press", "a suspension bridge", "vaccines", "opera", "chess", "a glacier"),
    *("wool", "the abacus", "tidal power", "a barometer", "maple syrup", "origami", "coral reefs", "the telegraph"),
    *("a lighthouse", "saffron", "the violin", "windmills", "cheese", "a compass", "silk", "volcanoes", "paper money"),
)
QUESTIONS = [Item(f"{i}-{j}", ask.format(about)) for i, ask in enumerate(ASKED) for j, about in enumerate(ABOUT)]


@pytest.fixture(scope="module")
def annotator(test_llm: Path, tmp_path_factory: pytest.TempPathFactory) -> GgufAnnotator:
    """The test LLM as BF16, which is what tuning installs where it is the fastest."""
    path = tmp_path_factory.mktemp("deviation") / "bf16.gguf"
    reencode(test_llm, path, "BF16", threads=1)
    return GgufAnnotator(
        "x", path, LABELS, bench_prompt(LABELS, "question"), Decoding(votes="exact"), model_digest="", threads=1
    )


def test_full_batches_say_what_one_text_alone_says(annotator: GgufAnnotator) -> None:
    assert len(QUESTIONS) == 200
    with annotator:
        together = {o.item_id: o.log_probs for batch in annotator.annotate(QUESTIONS) for o in batch}
        alone = {o.item_id: o.log_probs for item in QUESTIONS for batch in annotator.annotate([item]) for o in batch}
    one, other = (table_of(found) for found in (alone, together))
    assert (one.argmax(axis=1) == other.argmax(axis=1)).mean() >= 0.99
    assert np.abs(np.exp(one) - np.exp(other)).max() < 0.02


def table_of(found: dict[str, FloatArray]) -> FloatArray:
    return np.array([found[item.id] for item in QUESTIONS])
