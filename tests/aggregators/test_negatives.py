"""Negative labels (Eq. 5) and the choice of delta."""

import numpy as np
import pytest

from mollia_cli.aggregators.negatives import (
    choose_delta,
    false_negative_rate,
    negative_labels,
    negative_shares,
    rule_for,
    without_verdicts,
)
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.rng import stream

from .panels import panel_of

# Two annotators; label 1 of the first item is unlikely to one of them only.
Z = np.array([[[0.9, 0.0001, 0.0001], [0.9, 0.0019, 0.0001]], [[0.5, 0.5, 0.0], [0.4, 0.6, 0.0]]])
PANEL = panel_of(Z, Z)


def test_all_annotators_must_agree() -> None:
    np.testing.assert_array_equal(negative_labels(PANEL, 0.0015), [[False, False, True], [False, False, True]])


def test_the_mean_rule_takes_more() -> None:
    np.testing.assert_array_equal(negative_labels(PANEL, 0.0015, "mean"), [[False, True, True], [False, False, True]])


def test_delta_itself_is_not_below_delta() -> None:
    assert not negative_labels(panel_of(np.full((1, 1, 2), 0.25), np.zeros((1, 1, 2))), np.exp(np.log(0.25))).any()


def test_a_verdict_is_never_its_own_negative() -> None:
    negatives = np.ones((2, 3), dtype=bool)
    kept = without_verdicts(negatives, np.array([0, 2]))
    np.testing.assert_array_equal(kept, [[False, True, True], [True, True, False]])
    assert negatives.all()


def test_rates() -> None:
    negatives = np.array([[True, False, False], [False, False, True]])
    gold = np.array([0, 0])
    assert false_negative_rate(negatives, gold) == 0.5
    assert negative_shares(negatives, gold) == pytest.approx({"true": 1 / 6, "false": 1 / 6})
    assert np.isnan(false_negative_rate(negatives[:0], gold[:0]))


def test_delta_keeps_its_promise_on_new_items() -> None:
    rng = stream(0, "delta")
    z = rng.beta(0.3, 3.0, (2000, 3, 2))
    gold = np.zeros(2000, dtype=np.int64)
    panel = panel_of(z, z)
    rates = []
    for trial in range(200):
        rows = stream(trial, "rows").permutation(2000)
        delta = choose_delta(panel.take(rows[:50]), gold[:50], 0.1)
        rates.append(false_negative_rate(negative_labels(panel.take(rows[50:]), delta), gold[50:]))
    # Expected rate 5 / 51 = 0.098, and not much less: the largest delta that keeps the bound.
    assert 0.085 < np.mean(rates) < 0.105


def test_too_few_items_for_a_bound() -> None:
    with pytest.raises(InputError, match="cannot promise") as error:
        choose_delta(PANEL, np.array([0, 1]), 0.05)
    assert "19 items" in error.value.hint
    assert choose_delta(panel_of(np.full((19, 1, 2), 0.5), np.zeros((19, 1, 2))), np.zeros(19, dtype=np.int64), 0.05)


def test_the_rule_that_keeps_a_bound() -> None:
    z = np.linspace(0.01, 0.5, 50)[:, None, None].repeat(2, axis=2)
    panel, gold = panel_of(z, np.zeros_like(z)), np.zeros(50, dtype=np.int64)
    rule = rule_for(panel, gold, delta=0.0, bound=0.1)
    # j = floor(0.1 * 51) = 5: four of the 50 are below the fifth smallest evidence.
    assert (rule.delta, rule.false_negatives, rule.items, rule.bound) == (pytest.approx(0.05), 0.08, 50, 0.1)


def test_a_bound_is_promised_of_a_random_sample_alone() -> None:
    z = np.linspace(0.01, 0.5, 50)[:, None, None].repeat(2, axis=2)
    panel, gold = panel_of(z, np.zeros_like(z)), np.zeros(50, dtype=np.int64)
    half = np.arange(0, 50, 2)
    chosen = rule_for(panel, gold, 0.0, 0.1, half)
    assert (chosen.delta, chosen.bound, chosen.items, chosen.chosen) == (pytest.approx(0.05), None, 50, True)
    # a given delta is measured on the sample: 3 of its 25 are below .06, of all 50 five
    given = rule_for(panel, gold, 0.0595, 0.1, half)
    assert (given.false_negatives, given.items, given.chosen) == (3 / 25, 25, False)


def test_too_few_seeds_get_the_papers_delta_or_less() -> None:
    gold = np.array([0, 1])
    assert rule_for(PANEL, gold, 0.0, 0.02).delta == 0.001
    low = panel_of(np.full((2, 1, 2), 1e-5), np.zeros((2, 1, 2)))
    rule = rule_for(low, gold, 0.0, 0.02)
    assert (rule.delta, rule.false_negatives, rule.bound) == (pytest.approx(1e-5), 0.0, None)
    assert rule_for(low, gold, 0.5, 0.02).false_negatives == 1.0
    assert np.isnan(rule_for(low.take([]), gold[:0], 0.0, 0.02).false_negatives)
