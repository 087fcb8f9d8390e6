"""Paraphrase and aggregate, and word-level variants."""

import numpy as np

from mollia_cli.aggregators.da import DA
from mollia_cli.aggregators.mol import MoL
from mollia_cli.aggregators.pag import PAG
from mollia_cli.aggregators.variants import PARAPHRASE, WORDS, original_id, variant_id, vary
from mollia_cli.domain.observations import Panel
from mollia_cli.domain.rng import stream

from .panels import made_panel


def test_ids_of_variants() -> None:
    assert variant_id("a~b", WORDS, 2) == "a~b~words2"
    for kind in (WORDS, PARAPHRASE):
        assert original_id(variant_id("a~b", kind, 12)) == "a~b"
    assert original_id("a~2") == "a~2"  # somebody's own id
    assert original_id("a~b") == "a~b"
    assert original_id("plain") == "plain"


def test_a_verdict_is_the_mean_over_an_items_paraphrases() -> None:
    panel, gold = made_panel(60)
    seed = panel.take(range(50))
    rows = panel.take([50, 51, 52])
    renamed = Panel(
        ("x", variant_id("x", PARAPHRASE, 1), "y"), rows.annotators, rows.log_probs, rows.votes, rows.invalid
    )
    alone = MoL().fit(seed, gold[:50], seed).predict_proba(rows)
    got = PAG().fit(seed, gold[:50], seed).predict_proba(renamed)
    np.testing.assert_allclose(got[0], (alone[0] + alone[1]) / 2)
    np.testing.assert_allclose(got[1], got[0])
    np.testing.assert_allclose(got[2], alone[2])


def test_augmentation_learns_from_variants_of_seeds() -> None:
    panel, gold = made_panel(90)
    more = DA().fit(panel.take(range(50)), gold[:50], panel.take([])).predict_proba(panel.take(range(50, 90)))
    few = DA().fit(panel.take(range(10)), gold[:10], panel.take([])).predict_proba(panel.take(range(50, 90)))
    assert (more.argmax(axis=1) == gold[50:]).mean() > (few.argmax(axis=1) == gold[50:]).mean()


def test_words_are_varied_by_the_stream_alone() -> None:
    text = "what is the capital of the largest country in the world"
    first = vary(text, ["alpha", "beta"], stream(1, "da"))
    assert first == vary(text, ["alpha", "beta"], stream(1, "da")) != text
    kept = set(first.split()) & set(text.split())
    assert len(kept) >= 4
    assert vary("", ["alpha"], stream(1, "da")) == ""
    assert vary("word", ["alpha"], stream(2, "da")).split()
