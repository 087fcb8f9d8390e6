"""Panel quality."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mollia_cli.aggregators.mean_logits import MeanLogits
from mollia_cli.aggregators.mixture import Mixture
from mollia_cli.aggregators.quality import (
    answers,
    difference,
    interval,
    krippendorff_alpha,
    marginal_values,
    member_quality,
    no_better,
    pairwise_kappa,
    wilson,
)
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.metrics import cohen_kappa
from mollia_cli.domain.rng import stream

from .panels import made_panel, made_texts, panel_of, telling_texts


def test_wilson_interval() -> None:
    # Newcombe 1998, Table I: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=5e-5)


def test_member_quality() -> None:
    z = np.array([[[0.5, 0.1], [0.1, 0.7]], [[0.2, 0.6], [0.0, 0.0]]])
    votes = np.array([[[0.9, 0.1], [0.0, 0.5]], [[0.2, 0.8], [0.0, 0.0]]])
    first, second = member_quality(panel_of(z, votes), np.array([0, 1]))
    assert (first.accuracy, first.coverage, first.invalid) == (1.0, 1.0, pytest.approx(0.0))
    assert first.mass == pytest.approx(0.7)
    assert (second.accuracy, second.coverage, second.invalid) == (0.0, 0.5, pytest.approx(0.75))
    assert (second.lower, second.upper) == (None, None)  # two items are too few
    many, _ = member_quality(panel_of(np.tile(z, (5, 1, 1)), np.tile(votes, (5, 1, 1))), np.array([0, 1] * 5))
    assert (many.lower, many.upper) == wilson(10, 10)


def test_answers_mark_the_silent() -> None:
    panel = panel_of(np.array([[[0.9, 0.1], [0.4, 0.6]]]), np.array([[[0.0, 0.0], [0.5, 0.5]]]))
    np.testing.assert_array_equal(answers(panel), [[-1, 1]])


def test_cohens_kappa() -> None:
    # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: the textbook's 0.4.
    first = np.repeat([0, 0, 1, 1], [20, 5, 10, 15])
    second = np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    assert cohen_kappa(first, second, 2) == pytest.approx(0.4)
    assert cohen_kappa(np.append(first, -1), np.append(second, 0), 2) == pytest.approx(0.4)
    assert np.isnan(cohen_kappa(np.array([-1]), np.array([0]), 2))


def test_pairwise_kappa_is_symmetric() -> None:
    table = pairwise_kappa(made_panel(100)[0])
    np.testing.assert_array_equal(table, table.T)
    np.testing.assert_array_equal(np.diag(table), 1.0)
    assert (table[~np.eye(3, dtype=bool)] > 0.2).all()


def test_krippendorffs_alpha() -> None:
    # Krippendorff 2011, section C: nominal data, four observers, missing values; alpha = 0.743.
    rows = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
    assert krippendorff_alpha(np.array(rows).T - 1, 5) == pytest.approx(0.743, abs=5e-4)
    assert np.isnan(krippendorff_alpha(np.zeros((3, 2), dtype=np.int64), 2))


def test_of_few_items_there_is_no_interval() -> None:
    assert interval(9, 9) == (None, None)
    assert interval(10, 10) == wilson(10, 10)
    few = np.array([True, True, False])
    assert difference(few, ~few) == (pytest.approx(1 / 3), None, None)
    assert np.isnan(difference(few[:0], few[:0])[0])


def _by_hand(gained: int, lost: int, n: int) -> tuple[float, float]:
    """Bonett and Price 2012, equation 5."""
    p, q = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = 1.959964 * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    return p - q - half, p - q + half


def test_the_interval_of_a_difference_covers_it() -> None:
    rng = stream(1, "difference")
    for first, second, n in ((0.9, 0.8, 25), (0.6, 0.6, 25), (0.95, 0.95, 50), (0.8, 0.7, 50)):
        # the second agrees with the first but for one item in five
        draws = rng.random((2000, n)) < first
        other = np.where(rng.random(draws.shape) < 0.8, draws, rng.random(draws.shape) < second)
        truth = 0.2 * (first - second)
        ends = [difference(a, b)[1:] for a, b in zip(draws, other, strict=True)]
        covered = np.mean([lower <= truth <= upper for lower, upper in ends if lower is not None])
        assert covered > 0.94, (first, second, n)


def test_marginal_value_of_a_good_and_a_useless_member() -> None:
    gold = np.arange(40) % 2
    good = np.eye(2)[gold] * 0.9 + 0.05
    even = np.full((40, 2), 0.5)
    panel = panel_of(np.stack([good, even], axis=1), np.stack([good, even], axis=1))
    values = marginal_values(MeanLogits, panel, gold, panel.take([]), 0)
    assert [value for value, *_ in values.values()] == pytest.approx([0.5, 0.0])
    # good: 20 gained and none lost; useless: nothing changed, which 40 items do not prove
    (_, *first), (_, *second) = values.values()
    assert first == pytest.approx(_by_hand(20, 0, 40)) and first[0] > 0
    assert second == pytest.approx(_by_hand(0, 0, 40)) and second[0] < 0 < second[1]
    half = marginal_values(MeanLogits, panel, gold, panel.take([]), 0, np.flatnonzero(gold == 1))
    assert [value for value, *_ in half.values()] == pytest.approx([1.0, 0.0])  # ties go to label 0
    with pytest.raises(InputError, match="panel of one"):
        marginal_values(MeanLogits, panel_of(good[:, None], good[:, None]), gold, panel.take([]), 0)


def test_marginal_value_of_encoders() -> None:
    """One tells the labels, the other nothing; of one LLM and them, only the encoders can be left out."""
    panel, gold = made_panel(160, annotators=1, classes=4)
    noise = stream(0, "noise").normal(size=(160, 2, 4))
    telling = telling_texts(panel, gold)
    read = {"telling": telling.read("mini", panel.ids), "noise": noise}
    panel = replace(panel, texts=made_texts(panel.ids, read))
    seed, pool = panel.take(range(60)), panel.take(range(60, 160))
    values = marginal_values(Mixture, seed, gold[:60], pool, 0)
    assert list(values) == ["telling", "noise"]
    assert values["telling"][0] > 0.1 and abs(values["noise"][0]) < 0.1
    lower = values["telling"][1]
    assert lower is not None and lower > 0
    only_one = marginal_values(Mixture, replace(seed, texts=telling), gold[:60], replace(pool, texts=telling), 0)
    assert list(only_one) == ["mini"] and only_one["mini"][0] > 0.05
    # an aggregator of LLMs alone has nothing of encoders to leave out
    with pytest.raises(InputError, match="panel of one"):
        marginal_values(MeanLogits, seed, gold[:60], pool, 0)


def test_what_is_said_of_a_difference_to_the_labels_alone() -> None:
    assert no_better("mixture", "x", 0.1, 0.02, 0.2) == "" == no_better("mixture", "x", -0.1, None, None)
    said = no_better("mixture", "the labels alone", 0.1, 0.0, 0.2)
    assert said.endswith("of mixture less that of the labels alone is +0.100 (+0.000 to +0.200)")
