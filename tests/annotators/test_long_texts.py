"""Texts longer than an LLM's context: counted before they are read, cut, or read in parts and joined."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.annotators.llama import GgufAnnotator
from mollia_cli.annotators.llama.binding.llama import Model
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation, joined
from mollia_cli.domain.prompting import Decoding

LONG = Item("long", " ".join(f"I have paid bill {n} already." for n in range(120)))
SHORT = Item("short", "Is my blood test back?")
Make = Callable[..., GgufAnnotator]


def read(annotator: GgufAnnotator, *items: Item) -> dict[str, Observation]:
    return {seen.item_id: seen for batch in annotator.annotate(items) for seen in batch}


@pytest.mark.proof
def test_a_long_text_is_read_in_parts(make: Make, shallow_llm: Path) -> None:
    split = make(Decoding("exact"), shallow_llm, context=256, long="split")
    assert split.longer([SHORT, LONG]) == 1 and split.longer([]) == 0
    seen = read(split, LONG, SHORT)
    assert set(seen) == {"long", "short"} and not seen["long"].truncated
    whole = make(Decoding("exact"), shallow_llm, context=4096)
    assert not whole.longer([SHORT, LONG])
    parts = split._encoders[0].parts(LONG.text)
    alone = read(split, *(Item(f"part {n}", part) for n, part in enumerate(parts)))
    assert len(parts) > 3 and "".join(parts) == LONG.text
    expected = joined([alone[f"part {n}"] for n in range(len(parts))])
    np.testing.assert_allclose(np.exp(seen["long"].log_probs), np.exp(expected.log_probs), atol=0.01)
    assert seen["long"].tokens == pytest.approx(expected.tokens, rel=0.05)
    assert seen["long"].tokens > read(whole, LONG)["long"].tokens


@pytest.mark.proof
def test_what_is_longer_is_counted_without_the_weights(make: Make, shallow_llm: Path) -> None:
    with Model(shallow_llm, vocab_only=True) as vocabulary, Model(shallow_llm) as model:
        assert vocabulary.context_train == model.context_train > 0
    annotator = make(Decoding("exact"), shallow_llm, context=256)
    assert annotator.longer([SHORT, LONG]) == 1 and annotator._model is None
    annotator.load()
    assert annotator.longer([SHORT, LONG]) == 1


def test_the_rule_is_a_part_of_who_an_annotator_is(make: Make, shallow_llm: Path) -> None:
    rules = ("head-tail", "head", "split")
    assert len({make(path=shallow_llm, long=rule).identity["cut"] for rule in rules}) == 3
    assert make(path=shallow_llm).identity == make(path=shallow_llm, long="head-tail").identity
