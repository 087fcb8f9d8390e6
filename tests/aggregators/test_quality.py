"""Panel quality."""

import numpy as np
import pytest

from mollia_cli.aggregators.mean_logits import MeanLogits
from mollia_cli.aggregators.quality import (
    answers,
    krippendorff_alpha,
    marginal_values,
    member_quality,
    pairwise_kappa,
    wilson,
)
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.metrics import cohen_kappa

from .panels import made_panel, panel_of


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
    assert second.lower == 0.0 < second.upper < 1.0


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


def test_marginal_value_of_a_good_and_a_useless_member() -> None:
    gold = np.arange(40) % 2
    good = np.eye(2)[gold] * 0.9 + 0.05
    even = np.full((40, 2), 0.5)
    panel = panel_of(np.stack([good, even], axis=1), np.stack([good, even], axis=1))
    values = marginal_values(MeanLogits, panel, gold, panel.take([]), 0)
    assert values == pytest.approx([0.5, 0.0])
    with pytest.raises(InputError, match="panel of one"):
        marginal_values(MeanLogits, panel_of(good[:, None], good[:, None]), gold, panel.take([]), 0)
