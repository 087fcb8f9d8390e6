"""The text as one more annotator."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from aggregators.panels import made_panel

from mollia_cli.aggregators.conditional_logit import ConditionalLogit
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.rng import stream

with pytest.MonkeyPatch.context() as path:
    path.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from baselines.text import LinearText, embedding_features, refine, tfidf_features, with_members

PANEL, GOLD = made_panel(300, annotators=1, classes=3)
SEED, POOL = PANEL.take(range(30)), PANEL.take(range(30, 300))


def telling_features(known: float = 1.0) -> np.ndarray:
    """Embeddings that hold the label, noisily; rows without a text are zero."""
    rng = stream(0, "embeddings")
    features = np.eye(3)[GOLD] + rng.normal(0, 0.4, (300, 3))
    features[rng.random(300) >= known] = 0.0
    return features.astype(np.float32)


def fast() -> ConditionalLogit:
    return ConditionalLogit(trees=0, landmarks=10)


def test_a_telling_text_raises_accuracy() -> None:
    alone = fast().fit(SEED, GOLD[:30], POOL, 0).predict_proba(POOL)
    made = refine(fast, SEED, GOLD[:30], POOL, {"text": LinearText(telling_features())}, 0)
    with_text = made.aggregator.predict_proba(made.pool)
    assert (with_text.argmax(axis=1) == GOLD[30:]).mean() > (alone.argmax(axis=1) == GOLD[30:]).mean() + 0.05
    assert made.pool.annotators == (*PANEL.annotators, "text")


def test_no_row_is_judged_by_a_model_that_trained_on_it() -> None:
    seen = []

    def spy(train, targets, weights, judge):
        assert not set(train) & set(judge)
        assert targets.shape == (len(train), 3)
        seen.extend(judge)
        return np.full((len(judge), 3), 1 / 3)

    refine(fast, SEED, GOLD[:30], POOL, {"spy": spy}, 0, rounds=2)
    assert sorted(seen) == sorted([*range(300)] * 2)


def test_rows_without_a_text_say_nothing() -> None:
    features = telling_features(known=0.5)
    model = LinearText(features)
    said = model(np.arange(150), np.eye(3)[GOLD[:150]], np.ones(150), np.arange(150, 300))
    silent = np.abs(features[150:]).sum(axis=1) == 0
    assert (said[silent] == 0).all()
    np.testing.assert_allclose(said[~silent].sum(axis=1), 1.0)
    wide = with_members(PANEL.take(range(150, 300)), {"text": said})
    np.testing.assert_allclose(wide.invalid[:, 1], silent, atol=1e-12)
    fitted = fast().fit(wide.take(range(30)), GOLD[150:180], wide, 0)
    assert np.isfinite(fitted.predict_proba(wide)).all()


def test_a_name_that_is_taken_is_an_error() -> None:
    with pytest.raises(InputError, match="llm0"):
        refine(fast, SEED, GOLD[:30], POOL, {"llm0": LinearText(telling_features())}, 0)


def test_tfidf_by_hand() -> None:
    table = tfidf_features(["a b", "a b", "A c c", ""]).toarray()
    # Kept: "a" (in three texts), "a b" and "b" (in two); "c" and its pairs are in one text only.
    assert table.shape == (4, 3)
    idf_a, idf_b = 1 + np.log(5 / 4), 1 + np.log(5 / 3)
    expected = np.array([idf_a, idf_b, idf_b])
    np.testing.assert_allclose(table[0], expected / np.linalg.norm(expected), rtol=1e-6)
    np.testing.assert_allclose(table[2], [1, 0, 0])
    np.testing.assert_allclose(table[3], 0)


def test_layers_weigh_the_same() -> None:
    rng = stream(0, "layers")
    small, large = rng.normal(3.0, 0.01, (50, 4)), rng.normal(0.0, 100.0, (50, 4))
    features = embedding_features([small, large])
    assert np.abs(features[:, :4]).mean() == pytest.approx(np.abs(features[:, 4:]).mean(), rel=0.3)
    some = embedding_features([small], np.arange(10))
    assert (some[10:] == 0).all()
    np.testing.assert_allclose(some[:10].mean(axis=0), 0, atol=1e-6)


def test_text_members_leave_the_number_of_answers_as_it_was() -> None:
    assert with_members(replace(PANEL, samples=40), {"text": np.full((300, 3), 1 / 3)}).samples == 40
