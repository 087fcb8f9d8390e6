import numpy as np
import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.learners.discrepancy import annotation_discrepancy, discrepancy_weights, negative_weight


def test_weights_of_eq_8():
    previous = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8]])
    differs = annotation_discrepancy(previous, np.array([0, 0, 1]))
    assert differs.tolist() == [False, True, False]
    assert discrepancy_weights(differs).tolist() == [1.0, 0.5, 1.0]


def test_alpha_one_switches_the_weighting_off():
    assert discrepancy_weights(np.array([True, False]), alpha=1.0).tolist() == [1.0, 1.0]


def test_no_items_no_weights():
    differs = annotation_discrepancy(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
    assert discrepancy_weights(differs).shape == (0,)


def test_alpha_outside_its_range_is_refused():
    with pytest.raises(InputError, match=r"1\.5"):
        discrepancy_weights(np.array([True]), alpha=1.5)


def test_lambda_rises_linearly_over_the_rounds():
    assert [negative_weight(step, 4) for step in (1, 2, 3, 4)] == pytest.approx([0.4, 0.6, 0.8, 1.0])


def test_lambda_keeps_its_ends_outside_the_plan():
    assert negative_weight(0, 4) == pytest.approx(0.4)
    assert negative_weight(9, 4) == pytest.approx(1.0)
    assert negative_weight(1, 1) == pytest.approx(0.4)


@pytest.mark.parametrize("planned", [(10, 20), (5, 20), (1, 10), (3, 4, 5, 6, 40)])
def test_lambda_never_falls_when_rounds_are_added(planned):
    weights: list[float] = []
    for rounds in planned:
        for step in range(len(weights) + 1, rounds + 1):
            weights.append(negative_weight(step, rounds, before=weights[-1] if weights else None))
    assert weights == sorted(weights)
    assert weights[0] == 0.4
    assert weights[-1] == 1.0


def test_lambda_from_the_round_before_is_the_line_where_the_plan_stays():
    weights = [0.4]
    for step in range(2, 11):
        weights.append(negative_weight(step, 10, before=weights[-1]))
    assert weights == pytest.approx([negative_weight(step, 10) for step in range(1, 11)])


def test_a_negative_lambda_is_refused():
    with pytest.raises(InputError, match=r"-0\.1"):
        negative_weight(1, 2, start=-0.1)
