"""What the default aggregator and cross-fitting may learn from, and what never judges itself."""

from typing import Any, ClassVar

import numpy as np
import pytest

from mollia_cli.aggregators import conditional_logit
from mollia_cli.aggregators.calibration import cross_fitted
from mollia_cli.aggregators.conditional_logit import ConditionalLogit
from mollia_cli.aggregators.mean_logits import MeanLogits
from mollia_cli.domain.observations import FloatArray, IntArray, Panel

from .panels import made_panel

PANEL, GOLD = made_panel(260)
SEED, POOL = PANEL.take(range(20)), PANEL.take(range(20, 260))
Calls = list[dict[str, Any]]


@pytest.fixture
def boosted(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The forests' training sets. A forest says label 0 of the rows that it has trained on, label 1 of all others."""
    calls: Calls = []

    def boost(features: FloatArray, targets: FloatArray, settings: Any, rounds: int, weights: FloatArray) -> Any:
        calls.append({"rows": {row.tobytes() for row in features}, "features": features, "weights": weights})
        return calls[-1]["rows"]

    def predict(trained_on: set[bytes], features: FloatArray) -> FloatArray:
        return np.eye(4)[[0 if row.tobytes() in trained_on else 1 for row in features]]

    monkeypatch.setattr(conditional_logit, "boost", boost)
    monkeypatch.setattr(conditional_logit, "predict", predict)
    return calls


def test_no_tree_judges_what_it_trained_on(boosted: Calls) -> None:
    fitted = ConditionalLogit(tree_weight=1e6).fit(SEED, GOLD[:20], POOL, 3)
    assert len(boosted) == 2
    assert all(len(call["rows"]) > 20 + 80 for call in boosted)  # each learns from the seeds and half of the pool
    assert (fitted.predict_proba(POOL).argmax(axis=1) == 1).all()
    some = POOL.take(range(40, 90))
    assert (fitted.predict_proba(some).argmax(axis=1) == 1).all()


def test_seeds_weigh_one_each_and_a_fifth_of_the_pools_verdicts_together(boosted: Calls) -> None:
    ConditionalLogit().fit(SEED, GOLD[:20], POOL, 3)
    assert boosted
    for call in boosted:
        rows = len(call["features"]) - 20
        np.testing.assert_allclose(call["weights"][:20], 1.0 + 0.2 * rows / 20)
        np.testing.assert_array_equal(call["weights"][20:], np.ones(rows))


def test_all_of_the_pool_weighs_as_much_as_the_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    weighed: list[FloatArray] = []
    original = conditional_logit.fit_logit

    def fit_logit(shared: FloatArray, free: FloatArray, targets: FloatArray, weights: FloatArray, *rest: Any) -> Any:
        weighed.append(weights)
        return original(shared, free, targets, weights, *rest)

    monkeypatch.setattr(conditional_logit, "fit_logit", fit_logit)
    ConditionalLogit(trees=0, rounds=2).fit(SEED, GOLD[:20], POOL, 3)
    assert [len(weights) > 100 for weights in weighed] == [False, True, True]
    for weights in weighed:
        np.testing.assert_array_equal(weights[:20], np.ones(20))
        np.testing.assert_allclose(weights[20:], 20 / max(len(weights) - 20, 1))


class Watched(MeanLogits):
    """Notes on what it was fitted, and what it judged then."""

    learns: ClassVar[bool] = True
    fits: ClassVar[list[tuple[Panel, Panel, list[str]]]] = []

    def _fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        self.fits.append((seed, pool, []))

    def _predict(self, panel: Panel) -> FloatArray:
        self.fits[-1][2].extend(panel.ids)
        return super()._predict(panel)


def test_every_item_is_held_out_once_and_learned_from_otherwise() -> None:
    panel, labels = PANEL.take(range(12)), GOLD[:12]
    Watched.fits.clear()
    held = cross_fitted(Watched, panel, labels, POOL, 0)
    assert held.shape == (12, 4) and np.isfinite(held).all()
    assert len(Watched.fits) == 5
    for seed, _, judged in Watched.fits:
        assert judged and sorted([*seed.ids, *judged]) == sorted(panel.ids)
    assert sorted(item for _, _, judged in Watched.fits for item in judged) == sorted(panel.ids)


def test_what_is_held_out_stands_in_the_unlabelled_pool() -> None:
    Watched.fits.clear()
    cross_fitted(Watched, PANEL.take(range(12)), GOLD[:12], POOL, 0)
    assert len(Watched.fits) > 1
    for _, pool, judged in Watched.fits:
        assert list(pool.ids) == [*POOL.ids, *judged]
