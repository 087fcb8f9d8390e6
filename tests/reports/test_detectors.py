"""Detectors of wrong verdicts."""

import math

import numpy as np
import pytest

from mollia_cli.reports.detectors import auroc, detections, suspicions

PROBABILITIES = np.array([[0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.5, 0.5, 0.0], [0.1, 0.2, 0.7]])
VOTES = np.array([[[1.0, 0, 0], [0.8, 0.2, 0]], [[0.5, 0.5, 0], [0, 1, 0]], [[1, 0, 0], [1, 0, 0]], [[0, 0, 1]] * 2])
VERDICTS = np.array([0, 0, 0, 2])


def test_each_sign_by_hand() -> None:
    found = suspicions(PROBABILITIES, VOTES, VERDICTS, np.array([0, 1, 0, 1]))
    assert found["entropy"][2] == pytest.approx(math.log(2))
    assert found["margin"].tolist() == pytest.approx([-0.85, -0.05, 0.0, -0.5])
    assert found["consistency"].tolist() == pytest.approx([-0.9, -0.25, -1.0, -1.0])
    assert found["discrepancy"].tolist() == [0, 1, 0, 1]
    assert all(np.isfinite(values).all() for values in found.values())


def test_everyone_flags_as_many_as_the_discrepancy() -> None:
    signs = {"discrepancy": np.array([0.0, 1, 0, 1]), "margin": np.array([-0.9, -0.1, 0.0, -0.5])}
    discrepancy, margin = detections(signs, np.array([False, True, False, False]))
    assert (discrepancy.flagged, discrepancy.found, discrepancy.precision) == (2, 1.0, 0.5)
    assert discrepancy.accepted_right == 0.5
    assert (margin.flagged, margin.found, margin.precision, margin.accepted_right) == (2, 1.0, 0.5, 0.5)
    assert margin.auroc == pytest.approx(2 / 3)


def test_auroc_counts_ties_half() -> None:
    assert auroc(np.array([1.0, 1.0, 0.0]), np.array([True, False, False])) == 0.75
    assert auroc(np.array([0.0, 0.0]), np.array([True, False])) == 0.5
    assert math.isnan(auroc(np.array([1.0]), np.array([True])))


def test_nothing_wrong_is_no_share() -> None:
    [row] = detections({"discrepancy": np.zeros(3)}, np.zeros(3, dtype=bool))
    assert row.accepted_right == 1.0
    assert math.isnan(row.found)
    assert math.isnan(row.precision)
