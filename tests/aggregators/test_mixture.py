"""The mixture of LLMs and frozen encoders."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mollia_cli.aggregators.calibration import cross_fitted, fit_calibrated
from mollia_cli.aggregators.conditional_logit import ConditionalLogit
from mollia_cli.aggregators.features import one_hot
from mollia_cli.aggregators.mixture import Mixture, Solver, _left_out, _weighed, panel_logit
from mollia_cli.aggregators.views import View
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.observations import FloatArray, IntArray, Panel, Texts

from .panels import made_texts


def embedded(n: int, classes: int, seed: int = 0, width: int = 16, noise: float = 0.5) -> tuple[FloatArray, IntArray]:
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


def panel_of(view: FloatArray, truth: IntArray, classes: int, right: float = 0.6) -> Panel:
    """Two LLMs that are right so often, and one encoder of two places."""
    both = [opinions(truth, classes, right, seed) for seed in (1, 2)]
    said = np.stack(both, axis=1)
    ids = tuple(f"t{i}" for i in range(len(truth)))
    layers = np.stack([view, np.tanh(view)], axis=1)
    return Panel(ids, ("ada", "bob"), np.log(said), said, texts=made_texts(ids, {"mini": layers}))


def right(probabilities: FloatArray, truth: IntArray) -> float:
    return float((probabilities.argmax(axis=1) == truth).mean())


def test_llms_that_are_right_are_not_outvoted_by_an_encoder_that_tells_little() -> None:
    """With what no LLM has read, the head learns mostly its own verdicts, and was ever surer of them."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 2, 900)
    rows = rng.normal(size=(900, 40))
    rows[:, 0] += 0.8 * (2.0 * truth - 1.0)  # right on some .79
    rows /= np.sqrt(np.square(rows).sum(axis=1).mean())
    observed = np.where(one_hot(truth, 2) > 0, 0.9, 0.1)
    wrong = rng.random(900) < 0.05
    observed[wrong] = observed[wrong][:, ::-1]
    observed[450:] = np.nan
    mixed = Mixture().mix(rows, truth[:50], 2, observed)
    assert right(mixed.pool[:400], truth[50:450]) >= right(observed[50:450], truth[50:450]) - 0.01


def test_leaving_one_out_is_what_refitting_without_the_row_gives() -> None:
    view, truth = embedded(40, 3)
    targets, weights = one_hot(truth, 3), np.linspace(0.5, 2.0, 40)
    design = np.concatenate([view, np.ones((40, 1))], axis=1)
    weights[7] = 0.0
    predicted, head = _left_out(Solver.of(design, weights, 1.0), targets, targets, weights)
    for row in (0, 7, 39):
        rest = np.delete(np.arange(40), row)
        _, without = _left_out(Solver.of(design[rest], weights[rest], 1.0), targets[rest], targets[rest], weights[rest])
        expected = design[row] @ without.coefficients
        logits = np.log(predicted[row]) / head.sharpness
        np.testing.assert_allclose(logits - logits.mean(), expected - expected.mean(), atol=1e-4)


@pytest.mark.parametrize("classes", [2, 6, 20])
def test_like_texts_correct_what_llms_got_wrong(classes: int) -> None:
    view, truth = embedded(500, classes, seed=classes)
    panel, n = panel_of(view, truth, classes), max(50, 3 * classes)
    seed, pool = panel.take(range(n)), panel.take(range(n, 500))
    alone = ConditionalLogit(trees=0).fit(seed, truth[:n], pool).predict_proba(pool)
    mixed = Mixture().fit(seed, truth[:n], pool).predict_proba(pool)
    assert right(mixed, truth[n:]) > right(alone, truth[n:]) + 0.05
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0)


def test_it_takes_what_both_know() -> None:
    """Texts that tell nothing of the labels do no harm to LLMs that do."""
    _, truth = embedded(300, 3, seed=5)
    noise = np.random.default_rng(6).normal(size=(300, 16))
    panel = panel_of(noise, truth, 3, right=0.9)
    seed, pool = panel.take(range(50)), panel.take(range(50, 300))
    assert right(Mixture().fit(seed, truth[:50], pool).predict_proba(pool), truth[50:]) > 0.9


def test_a_class_without_a_gold_label() -> None:
    view, truth = embedded(300, 4, seed=1)
    panel = panel_of(view, truth, 4, right=0.8)
    rows = np.flatnonzero(truth[:60] != 3)
    pool = panel.take(range(60, 300))
    made = Mixture().fit(panel.take(rows), truth[rows], pool).predict_proba(pool)
    assert np.isfinite(made).all()
    known = truth[60:] != 3
    assert right(made[known], truth[60:][known]) > 0.8


def test_without_llms_the_labels_and_the_texts_are_enough() -> None:
    view, truth = embedded(300, 4, seed=1)
    mixed = Mixture().mix(view, truth[:40], 4)
    assert right(mixed.pool, truth[40:]) > 0.8
    assert mixed.beside is mixed.alone


@pytest.mark.parametrize("classes", [1, 4])
def test_a_panel_whose_llms_have_read_nothing_is_the_encoders_alone(classes: int) -> None:
    view, truth = embedded(300, 4, seed=1)
    gold = truth[:40] % classes
    panel = panel_of(view, truth, 4, right=1.0)
    unread = replace(panel, log_probs=np.full_like(panel.log_probs, np.nan), votes=np.zeros_like(panel.votes))
    made = Mixture().fit(unread.take(range(40)), gold, unread.take(range(40, 200)))
    found = made.predict_proba(unread)
    if classes == 4:
        assert right(found[40:200], truth[40:200]) > 0.8 and right(found[200:], truth[200:]) > 0.8
    else:
        assert set(found.argmax(axis=1)) == {0}
    # what LLMs say of new texts is not listened to: nothing tells how far to rely on it
    np.testing.assert_array_equal(made.predict_proba(panel), found)
    again = Mixture.from_json(json.loads(json.dumps(made.to_json(), allow_nan=False)))
    np.testing.assert_allclose(again.predict_proba(unread), found, atol=1e-12)


def test_what_no_llm_has_read_is_predicted_too_and_helps_what_was_read() -> None:
    view, truth = embedded(1500, 6, seed=3, width=48, noise=1.3)
    panel = panel_of(view, truth, 6, right=0.4)
    seed, pool, unread = panel.take(range(50)), panel.take(range(50, 150)), panel.take(range(150, 1500))
    silent = np.full_like(unread.log_probs, np.nan)
    unread = replace(unread, log_probs=silent, votes=np.zeros_like(silent), invalid=np.ones(silent.shape[:2]))
    few = Mixture().fit(seed, truth[:50], pool)
    many = Mixture().fit(seed, truth[:50], pool.joined(unread))
    assert right(many.predict_proba(pool), truth[50:150]) > right(few.predict_proba(pool), truth[50:150])
    assert right(many.predict_proba(unread), truth[150:]) > 0.7
    assert right(few.predict_proba(unread), truth[150:]) > 0.5  # new texts, by the head alone
    again = Mixture.from_json(json.loads(json.dumps(few.to_json(), allow_nan=False)))
    np.testing.assert_allclose(again.predict_proba(unread), few.predict_proba(unread), atol=1e-12)


def test_new_texts_are_predicted_by_the_head_on_the_layers_themselves() -> None:
    view, truth = embedded(600, 3, seed=2)
    panel = panel_of(view, truth, 3)
    seed, pool, new = panel.take(range(40)), panel.take(range(40, 300)), panel.take(range(300, 600))
    made = Mixture().fit(seed, truth[:40], pool)
    found = made.predict_proba(new)
    assert right(found, truth[300:]) > 0.8
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    # worked out again on the view, whose head it is before it is unrolled
    layers = [[view[:300], np.tanh(view[:300])]]
    rows = View.fit(layers)
    observed = [cross_fitted(panel_logit, seed, truth[:40], pool, 0), made._panel.predict_proba(pool)]
    mixed = Mixture().mix(rows(layers), truth[:40], 3, np.concatenate(observed))
    by_view = mixed.head.predict_proba(rows([[view[300:], np.tanh(view[300:])]]))
    expected = _weighed(mixed.beside, [made._panel.predict_proba(new), by_view])
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_what_it_learned_from_is_predicted_without_its_own_target() -> None:
    """A text whose LLMs are wrong: the head of all has learned the error, what is kept of the text has not."""
    view, truth = embedded(200, 3, seed=4)
    panel = panel_of(view, truth, 3, right=0.7)
    seed, pool = panel.take(range(40)), panel.take(range(40, 200))
    made = Mixture(rounds=1).fit(seed, truth[:40], pool, 2)
    observed = [cross_fitted(panel_logit, seed, truth[:40], pool, 2), made._panel.predict_proba(pool)]
    layers = [[view, np.tanh(view)]]
    mixed = Mixture(rounds=1).mix(View.fit(layers)(layers), truth[:40], 3, np.concatenate(observed))
    np.testing.assert_allclose(made.predict_proba(panel), np.concatenate([mixed.gold, mixed.pool]), atol=1e-9)
    # the same texts under other names are new ones, which the head of all predicts
    as_new = made.predict_proba(renamed(pool))
    rows = np.flatnonzero(observed[1].argmax(axis=1) != truth[40:])
    assert len(rows) > 10
    assert (mixed.pool[rows, truth[40:][rows]] > as_new[rows, truth[40:][rows]]).all()


def renamed(panel: Panel) -> Panel:
    """The same texts, under ids that nobody has seen."""
    assert panel.texts is not None
    read, known = panel.texts.read, {f"private-{item_id}": item_id for item_id in panel.ids}
    return replace(
        panel,
        ids=tuple(known),
        texts=Texts(panel.texts.encoders, lambda name, ids: read(name, [known[one] for one in ids])),
    )


def test_the_folds_of_a_cross_fit_read_the_texts_once() -> None:
    view, truth = embedded(120, 3, seed=11)
    panel = panel_of(view, truth, 3)
    assert panel.texts is not None
    asked: list[int] = []
    read = panel.texts.read

    def counted(name: str, ids: Sequence[str]) -> FloatArray:
        asked.append(len(ids))
        return np.asarray(read(name, ids))

    panel = replace(panel, texts=Texts(panel.texts.encoders, counted))
    fit_calibrated(Mixture, panel.take(range(30)), truth[:30], panel.take(range(30, 120)), 0, np.arange(30))
    assert asked == [120]


def test_a_stored_fit_says_the_same_of_old_and_new_texts() -> None:
    view, truth = embedded(200, 3, seed=8)
    panel = panel_of(view, truth, 3)
    made = Mixture().fit(panel.take(range(30)), truth[:30], panel.take(range(30, 120)))
    again = Mixture.from_json(json.loads(json.dumps(made.to_json(), allow_nan=False)))
    np.testing.assert_allclose(again.predict_proba(panel), made.predict_proba(panel), atol=1e-12)


def test_a_stored_fit_names_no_text() -> None:
    view, truth = embedded(60, 2, seed=8)
    panel = renamed(panel_of(view, truth, 2))
    made = Mixture().fit(panel.take(range(30)), truth[:30], panel.take(range(30, 60)))
    assert "private" not in json.dumps(made.to_json())


@pytest.mark.parametrize("left", [None, "other"])
def test_new_texts_without_its_encoders_are_refused(left: str | None) -> None:
    view, truth = embedded(120, 3)
    panel = panel_of(view, truth, 3)
    made = Mixture().fit(panel.take(range(30)), truth[:30], panel.take(range(30, 100)))
    texts = None if left is None else made_texts(panel.ids, {left: np.zeros((120, 1, 4))})
    bare = replace(panel, texts=texts)
    made.predict_proba(bare.take(range(100)))  # what it has learned from needs no text
    with pytest.raises(RefusedError, match="mini"):
        made.predict_proba(bare)


@pytest.mark.parametrize("classes", [1, 3])
def test_without_encoders_or_with_one_class_it_is_the_conditional_logit(classes: int) -> None:
    view, truth = embedded(120, 3)
    panel = panel_of(view, truth, 3)
    if classes == 3:
        panel = replace(panel, texts=None)
    gold = truth[:40] if classes == 3 else np.zeros(40, dtype=np.int64)
    seed, pool = panel.take(range(40)), panel.take(range(40, 120))
    made = Mixture().fit(seed, gold, pool, 3).predict_proba(pool)
    np.testing.assert_array_equal(made, ConditionalLogit().fit(seed, gold, pool, 3).predict_proba(pool))


def test_a_view_of_several_encoders_is_the_same_for_new_texts() -> None:
    rng = np.random.default_rng(0)
    layers: Sequence[Sequence[FloatArray]]
    layers = [[rng.normal(size=(60, 8)) * 100, rng.normal(size=(60, 8))], [rng.normal(size=(60, 5))]]
    view = View.fit(layers)
    rows = view(layers)
    assert rows.shape == (60, 21)
    assert (rows**2).sum(axis=1).mean() == pytest.approx(1.0)
    np.testing.assert_allclose(view([[layer[:7] for layer in encoder] for encoder in layers]), rows[:7])
    # a layer a hundred times as long says no more than the other
    even = View.fit([[layers[0][0] / 100, layers[0][1]], layers[1]])([[layers[0][0] / 100, layers[0][1]], layers[1]])
    np.testing.assert_allclose(even @ even.T, rows @ rows.T, atol=1e-8)
