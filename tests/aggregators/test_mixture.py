"""The mixture of LLMs and frozen encoders."""

import numpy as np
import pytest

from mollia_cli.aggregators.features import one_hot
from mollia_cli.aggregators.mixture import Mixture, _design, _left_out, held_out, panel_logit, panel_opinions
from mollia_cli.aggregators.views import View
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import FloatArray, IntArray, Panel


def texts(n: int, classes: int, seed: int = 0, width: int = 16, noise: float = 0.5) -> tuple[FloatArray, IntArray]:
    """Embeddings [n, width] around a centre for each class, and the true labels."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    truth[: 2 * classes] = np.tile(np.arange(classes), 2)
    return rng.normal(size=(classes, width))[truth] * 0.5 + rng.normal(size=(n, width)) * noise, truth


def opinions(truth: IntArray, classes: int, right: float, seed: int = 0) -> FloatArray:
    """[n, K] probabilities of LLMs that are right so often, whatever the text says."""
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(len(truth)) < right, truth, rng.integers(0, classes, len(truth)))
    rows: FloatArray = one_hot(said, classes) * 0.6 + 0.4 / classes
    return rows


def panel_of(said: FloatArray, first: int = 0) -> Panel:
    ids = tuple(f"t{first + i}" for i in range(len(said)))
    return Panel(ids, ("llm",), np.log(said)[:, None, :], said[:, None, :])


def test_leaving_one_out_is_what_refitting_without_the_row_gives() -> None:
    view, truth = texts(40, 3)
    targets, weights, design = one_hot(truth, 3), np.linspace(0.5, 2.0, 40), _design(view)
    weights[7] = 0.0
    said, head = _left_out(design, targets, weights, 1.0)
    for row in (0, 7, 39):
        rest = np.delete(np.arange(40), row)
        _, without = _left_out(design[rest], targets[rest], weights[rest], 1.0)
        expected = design[row] @ without.coefficients
        logits = np.log(said[row]) / head.sharpness
        np.testing.assert_allclose(logits - logits.mean(), expected - expected.mean(), atol=1e-4)


@pytest.mark.parametrize("classes", [2, 6, 20])
def test_like_texts_correct_what_llms_got_wrong(classes: int) -> None:
    view, truth = texts(600, classes, seed=classes)
    said = opinions(truth, classes, 0.6)
    n = max(50, 3 * classes)
    mixed = Mixture().fit(view, truth[:n], classes, said)
    alone = (said[n:].argmax(axis=1) == truth[n:]).mean()
    assert (mixed.pool.argmax(axis=1) == truth[n:]).mean() > alone + 0.1
    np.testing.assert_allclose(mixed.pool.sum(axis=1), 1.0)


def test_what_no_llm_has_read_is_judged_too_and_helps_what_was_read() -> None:
    view, truth = texts(1500, 6, seed=3, width=48, noise=1.3)
    said = opinions(truth[:150], 6, 0.5)
    few = Mixture().fit(view[:150], truth[:50], 6, said)
    many = Mixture().fit(view, truth[:50], 6, said)
    accuracy = (many.pool[:100].argmax(axis=1) == truth[50:150]).mean()
    assert accuracy > (few.pool.argmax(axis=1) == truth[50:150]).mean()
    assert (many.pool[100:].argmax(axis=1) == truth[150:]).mean() > 0.7


def test_without_llms_and_with_a_class_that_has_no_gold_label() -> None:
    view, truth = texts(300, 4, seed=1)
    gold = truth[:40].copy()
    kept = gold != 3
    rows = np.concatenate([np.flatnonzero(kept), np.arange(40, 300)])
    mixed = Mixture().fit(view[rows], gold[kept], 4)
    assert np.isfinite(mixed.pool).all()
    known = truth[40:] != 3
    assert (mixed.pool.argmax(axis=1) == truth[40:])[known].mean() > 0.8


def test_new_texts_are_judged_with_the_llms_and_without() -> None:
    view, truth = texts(600, 3, seed=2)
    said = opinions(truth, 3, 0.7)
    mixed = Mixture().fit(view[:400], truth[:40], 3, said[:400])
    for judged in (mixed.predict_proba(view[400:]), mixed.predict_proba(view[400:], said[400:])):
        assert (judged.argmax(axis=1) == truth[400:]).mean() > 0.8
        np.testing.assert_allclose(judged.sum(axis=1), 1.0)


def test_held_out_probabilities_know_nothing_of_their_label() -> None:
    view, truth = texts(120, 3, seed=4)
    said = opinions(truth, 3, 0.6)
    gold, seed, pool = truth[:20], panel_of(said[:20]), panel_of(said[20:], 20)
    before = held_out(Mixture(), view, gold, 3, 0, seed, pool)
    changed = gold.copy()
    changed[5] = (changed[5] + 1) % 3
    after = held_out(Mixture(), view, changed, 3, 0, seed, pool)
    np.testing.assert_array_equal(before[5], after[5])
    assert np.abs(before - after).max() > 0


def test_panel_opinions_stand_gold_first_then_pool() -> None:
    _, truth = texts(100, 3)
    said = opinions(truth, 3, 0.8)
    made = panel_opinions(panel_logit, panel_of(said[:30]), truth[:30], panel_of(said[30:], 30), 0)
    assert made.shape == (100, 3)
    assert (made.argmax(axis=1) == truth).mean() > 0.7


@pytest.mark.parametrize(
    ("labels", "llms"), [([1, 1, 1], None), ([0, 1, 1], np.ones((2, 2))), ([0, 1, 1], np.ones((9, 3)))]
)
def test_what_does_not_fit_is_refused(labels: list[int], llms: FloatArray | None) -> None:
    with pytest.raises(InputError):
        Mixture().fit(np.ones((8, 2)), np.array(labels), 2, llms)


def test_a_view_of_several_encoders_is_the_same_for_new_texts() -> None:
    rng = np.random.default_rng(0)
    layers = [[rng.normal(size=(60, 8)) * 100, rng.normal(size=(60, 8))], [rng.normal(size=(60, 5))]]
    view = View.fit(layers)
    rows = view(layers)
    assert rows.shape == (60, 21)
    assert (rows**2).sum(axis=1).mean() == pytest.approx(1.0)
    np.testing.assert_allclose(view([[layer[:7] for layer in encoder] for encoder in layers]), rows[:7])
    # a layer a hundred times as long says no more than the other
    even = View.fit([[layers[0][0] / 100, layers[0][1]], layers[1]])([[layers[0][0] / 100, layers[0][1]], layers[1]])
    np.testing.assert_allclose(even @ even.T, rows @ rows.T, atol=1e-8)
