"""Calibrated confidence."""

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from mollia_cli.aggregators.calibration import (
    Calibration,
    _place,
    calibrate,
    cross_fitted,
    expected_calibration_error,
    fit_calibrated,
    reliability,
    tempered,
)
from mollia_cli.aggregators.mean_logits import MeanLogits
from mollia_cli.aggregators.mol import MoL
from mollia_cli.domain.observations import Panel
from mollia_cli.domain.rng import stream

from .panels import made_panel


def test_cross_fitting_never_shows_an_item_its_own_label() -> None:
    panel, gold = made_panel(40)
    pool = panel.take([])
    honest = cross_fitted(lambda: MoL(estimators=20), panel, gold, pool, 0, parts=20)
    for row in range(2):
        changed = gold.copy()
        changed[row] = (gold[row] + 1) % 4
        again = cross_fitted(lambda: MoL(estimators=20), panel, changed, pool, 0, parts=20)
        np.testing.assert_array_equal(honest[row], again[row])
    fitted = MoL(estimators=20).fit(panel, gold, pool).predict_proba(panel)
    assert (honest.argmax(axis=1) == gold).mean() < (fitted.argmax(axis=1) == gold).mean()


def test_an_aggregator_that_learns_nothing_is_unchanged() -> None:
    panel, gold = made_panel(20)
    held = cross_fitted(MeanLogits, panel, gold, panel.take([]), 0)
    np.testing.assert_allclose(held, MeanLogits().fit(panel, gold, panel).predict_proba(panel))


def overconfident(n: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    rng = stream(3, "overconfident", n)
    true = rng.dirichlet(np.ones(3), n)
    labels = np.array([rng.choice(3, p=p) for p in true])
    return tempered(true, 1 / sharpness), labels


def test_temperature_undoes_overconfidence() -> None:
    probabilities, labels = overconfident(3000, 3.0)
    found = calibrate(probabilities, labels)
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    calmed = tempered(probabilities, found.temperature)
    np.testing.assert_array_equal(calmed.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(found.confidence, calmed.max(axis=1), atol=0.02)
    assert found.ece < 0.03 < found.raw_ece / 3


def test_an_item_has_no_say_in_its_own_calibration() -> None:
    probabilities, labels = overconfident(12, 3.0)
    changed = labels.copy()
    changed[0] = (labels[0] + 1) % 3
    first, second = calibrate(probabilities, labels), calibrate(probabilities, changed)
    assert first.confidence[0] == second.confidence[0]
    assert first.temperature != second.temperature


def test_no_labels_leave_the_temperature_alone() -> None:
    assert calibrate(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)).temperature == pytest.approx(1.0)


def test_a_calibration_is_kept_as_json() -> None:
    found = calibrate(*overconfident(10, 2.0))
    again = Calibration.from_json(json.loads(json.dumps(found.to_json())))
    assert again.temperature == found.temperature
    np.testing.assert_array_equal(again.confidence, found.confidence)
    np.testing.assert_array_equal(again.right, found.right)
    np.testing.assert_array_equal(again.placed, found.placed)


def test_reliability_and_ece_by_hand() -> None:
    confidence = np.array([0.55, 0.58, 0.95, 1.0])
    right = np.array([True, False, True, True])
    bins = reliability(confidence, right)
    assert [(b.n, b.accuracy) for b in bins] == [(2, 0.5), (2, 1.0)]
    # gaps of .065 and .025 where chance alone makes (.565 * .435 / 2) ** .5 and (.975 * .025 / 2) ** .5
    assert expected_calibration_error(confidence, right) == 0.0
    wrong = np.zeros(4, dtype=bool)
    gaps = (0.565**2 - 0.565 * 0.435 / 2) ** 0.5, (0.975**2 - 0.975 * 0.025 / 2) ** 0.5
    assert expected_calibration_error(confidence, wrong) == pytest.approx(sum(gaps) / 2)
    assert np.isnan(expected_calibration_error(confidence[:0], right[:0]))


@dataclass(eq=False)
class SurerWithLabels(MeanLogits):
    """Mean logits, the sharper the more labels it was given."""

    name: ClassVar[str] = "surer"
    learns: ClassVar[bool] = True

    def _fit(self, seed: Panel, labels: np.ndarray, pool: Panel, random_seed: int) -> None:
        self.sharpness = len(labels) / 20

    def _predict(self, panel: Panel) -> np.ndarray:
        return tempered(super()._predict(panel), 1 / self.sharpness)


@pytest.mark.parametrize(("sharpness", "worst"), [(1.0, 0.05), (1.3, 0.04), (2.0, 0.03)])
@pytest.mark.parametrize("n", [25, 50])
def test_the_ece_of_few_items_is_hardly_too_large(n: int, sharpness: float, worst: float) -> None:
    rng = stream(5, "few", n)

    def drawn(size: int) -> tuple[np.ndarray, np.ndarray]:
        share = rng.beta(4, 1.2, size)
        odds = (share / (1 - share)) ** sharpness
        return odds / (1 + odds), rng.random(size) < share

    def plain(confidence: np.ndarray, right: np.ndarray) -> float:
        bins = reliability(confidence, right)
        return sum(b.n * abs(b.confidence - b.accuracy) for b in bins) / len(right)

    truth = plain(*drawn(400_000))
    samples = [drawn(n) for _ in range(300)]
    bias = np.mean([expected_calibration_error(*sample) for sample in samples]) - truth
    assert abs(bias) < worst * (50 / n) ** 0.5
    assert abs(bias) < 0.6 * (np.mean([plain(*sample) for sample in samples]) - truth)


def test_a_seed_is_placed_where_the_fit_on_all_seeds_ranks_it() -> None:
    panel, gold = made_panel(440)
    seeds, pool = panel.take(range(40)), panel.take(range(40, 440))
    fitted, found = fit_calibrated(SurerWithLabels, seeds, gold[:40], pool, 0, np.arange(40))
    at_all = tempered(fitted.predict_proba(seeds), found.temperature).max(axis=1)
    # the cross-fits had 32 of the 40 labels, and were less sure as a whole; ranks among the pool are not
    assert np.abs(found.confidence - at_all).mean() > 5 * np.abs(found.placed - at_all).mean()
    whole = np.sort(tempered(fitted.predict_proba(pool), found.temperature).max(axis=1))
    assert all(np.isin(found.placed[found.placed <= whole[-1]], whole))
    assert found.placed.argmax() == found.confidence.argmax()


def test_places_by_hand() -> None:
    ascending = np.array([0.4, 0.5, 0.5, 0.9])
    placed = _place(ascending, np.array([4, 3, 2, 1, 0]))
    np.testing.assert_array_equal(placed[[0, 1, 2, 3]], [0.4, 0.5, 0.9, 0.9])
    assert placed[4] > 0.9


def test_what_stands_behind_the_seeds_is_learned_from_and_not_measured() -> None:
    panel, gold = made_panel(100)
    seeds, doubtful, pool = range(40), range(40, 60), range(60, 100)
    labels = gold[:60].copy()
    labels[40:] = (gold[40:60] + 1) % 4  # of what was reviewed, all were wrong
    rows = panel.take([*seeds, *doubtful])

    def known(measured: int) -> Calibration:
        return fit_calibrated(MeanLogits, rows, labels, panel.take(pool), 0, np.arange(measured))[1]

    alone = fit_calibrated(MeanLogits, panel.take(seeds), gold[:40], panel.take(pool), 0, np.arange(40))[1]
    # mean logits learn nothing: what is measured on the seeds is the same, whatever was reviewed
    np.testing.assert_array_equal(known(40).right, alone.right)
    np.testing.assert_array_equal(known(40).placed, alone.placed)
    assert known(40).temperature == alone.temperature != known(60).temperature


def test_of_seeds_that_were_all_chosen_nothing_is_measured() -> None:
    panel, gold = made_panel(100)
    _, found = fit_calibrated(MeanLogits, panel.take(range(40)), gold[:40], panel.take(range(40, 100)), 0, gold[:0])
    assert found.temperature == pytest.approx(1.0) and not len(found.placed) and not len(found.right)
