"""The aggregator of LLMs alone and the logit under it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from mollia_cli.aggregators.conditional_logit import ConditionalLogit, _centres
from mollia_cli.aggregators.features import folds, log_scores, most_confident
from mollia_cli.aggregators.logit import Ridge, fit_logit, start
from mollia_cli.aggregators.quality import only
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.rng import stream

from .panels import made_panel, panel_of

PANEL, GOLD = made_panel(400)
SEED, POOL = PANEL.take(range(50)), PANEL.take(range(50, 400))


def test_log_scores_are_the_written_formula() -> None:
    panel = panel_of(np.array([[[0.2, 0.6]]]), np.array([[[0.3, 0.7]]]))
    expected = [[np.log(0.251), np.log(0.751)], [np.log(3.2 / 10.4), np.log(7.2 / 10.4)]]
    np.testing.assert_allclose(log_scores(panel)[0], expected)


def test_log_scores_know_of_how_many_answers_the_votes_are_shares() -> None:
    ten = panel_of(np.array([[[0.2, 0.6]]]), np.array([[[0.0, 1.0]]]))
    forty = replace(ten, samples=40)
    expected = [[np.log(0.251), np.log(0.751)], [np.log(0.2 / 40.4), np.log(40.2 / 40.4)]]
    np.testing.assert_allclose(log_scores(forty)[0], expected)
    # what is made of a panel keeps the number
    assert {made.samples for made in (forty.take([0]), forty.joined(forty), only(forty, [0]))} == {40}


def test_without_evidence_it_is_the_geometric_mean() -> None:
    rng = stream(0, "logit")
    shared = np.log(rng.dirichlet(np.ones(3), (5, 4)))
    ridge = Ridge(50.0, 1.0, np.full(2, 3.0))
    model = fit_logit(shared, np.zeros((5, 2)), np.ones((5, 3)) / 3, np.zeros(5), ridge, start(4, 3, 2))
    np.testing.assert_allclose(model.logits(shared, np.zeros((5, 2))), shared.mean(axis=1), atol=1e-9)


def test_the_fit_is_the_minimum_of_the_written_objective() -> None:
    rng = stream(1, "logit")
    n, rows, classes, width = 12, 2, 3, 4
    shared, free = rng.normal(size=(n, rows, classes)), rng.normal(size=(n, width))
    gold, weights = rng.integers(0, classes, n), rng.random(n)
    penalty = np.array([1.0, 1.0, 4.0, 4.0])

    def objective(packed: np.ndarray) -> float:
        w, b, m = packed[:rows], packed[rows : rows + classes], packed[rows + classes :].reshape(width, classes)
        scores = np.einsum("ndk,d->nk", shared, w) + b + free @ m
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        loss = -(weights * logs[np.arange(n), gold]).sum()
        return loss + 5 * ((w - 0.5) ** 2).sum() / 2 + 2 * (b**2).sum() / 2 + (penalty[:, None] * m**2).sum() / 2

    model = fit_logit(
        shared, free, np.eye(classes)[gold], weights, Ridge(5.0, 2.0, penalty), start(rows, classes, width)
    )
    found = np.concatenate([model.w, model.b, model.M.ravel()])
    slow = minimize(objective, np.zeros(len(found)), method="BFGS", options={"gtol": 1e-7}).x
    np.testing.assert_allclose(found, slow, atol=1e-4)


def test_most_confident_is_per_predicted_class() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.45, 0.55]])
    assert sorted(most_confident(probabilities, 0.5)) == [0, 1, 4]


def test_folds_follow_the_item() -> None:
    ids = [f"item{i}" for i in range(200)]
    fold = folds(ids, 3)
    assert 60 < fold.sum() < 140
    np.testing.assert_array_equal(folds(ids[50:60], 3), fold[50:60])
    assert (folds(ids, 4) != fold).any()


def test_beats_the_panels_mean_where_one_annotator_lies() -> None:
    # Two annotators say the next label, one is honest but unsure.
    rng = stream(2, "liars")
    gold = rng.integers(0, 3, 400)
    z = np.full((400, 3, 3), 0.1)
    z[np.arange(400), :2, (gold + 1) % 3] = 0.8
    z[np.arange(400), 2, gold] = 0.4
    panel = panel_of(z, z / z.sum(axis=2, keepdims=True))
    fitted = ConditionalLogit().fit(panel.take(range(50)), gold[:50], panel.take(range(50, 400)), 0)
    assert (fitted.predict_proba(panel).argmax(axis=1) == gold).mean() > 0.98


@pytest.mark.parametrize("trees", [0, 60])
def test_self_training_helps_with_few_seeds(trees: int) -> None:
    gains = []
    for draw in range(5):
        panel, gold = made_panel(500, annotators=4, classes=4, seed=draw)
        seed, pool = panel.take(range(12)), panel.take(range(12, 500))
        once = ConditionalLogit(rounds=0, trees=0).fit(seed, gold[:12], pool, 0).predict_proba(pool)
        often = ConditionalLogit(trees=trees).fit(seed, gold[:12], pool, 0).predict_proba(pool)
        gains.append((often.argmax(axis=1) == gold[12:]).mean() - (once.argmax(axis=1) == gold[12:]).mean())
    assert np.mean(gains) > 0.0


def test_landmarks_are_the_middles_of_separate_groups() -> None:
    middles = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = np.repeat(middles, 50, axis=0) + stream(0, "groups").normal(0, 0.3, (150, 2))
    found = _centres(points, 3, stream(1, "landmarks"))
    np.testing.assert_array_equal(found, _centres(points, 3, stream(1, "landmarks")))
    np.testing.assert_allclose(
        sorted(found.tolist()), sorted(points.reshape(3, 50, 2).mean(axis=1).tolist()), rtol=0, atol=1e-12
    )


@pytest.mark.filterwarnings("error")
def test_no_more_landmarks_than_distinct_points() -> None:
    found = _centres(np.repeat(np.eye(2), 5, axis=0), 4, stream(0, "landmarks"))
    assert sorted(found.tolist()) == [[0.0, 1.0], [1.0, 0.0]]


def test_of_a_large_pool_some_points_make_the_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else they take half of the fit's time."""
    panel, gold = made_panel(1300, annotators=2, classes=3)
    clustered: list[FloatArray] = []

    def seen(points: FloatArray, k: int, rng: np.random.Generator) -> FloatArray:
        clustered.append(points)
        return _centres(points, k, rng)

    monkeypatch.setattr("mollia_cli.aggregators.conditional_logit._centres", seen)
    ConditionalLogit(trees=0).fit(panel.take(range(40)), gold[:40], panel.take(range(40, 1300)))
    [points] = clustered
    assert len(np.unique(points, axis=0)) == 1000
