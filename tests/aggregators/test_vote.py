"""Majority vote."""

import numpy as np

from mollia_cli.aggregators.vote import Vote

from .panels import panel_of

EVEN = [0.4, 0.3, 0.3]


def verdicts(z: list, votes: list) -> np.ndarray:
    panel = panel_of(np.array(z), np.array(votes))
    return Vote().fit(panel, np.zeros(len(panel), dtype=np.int64), panel).predict_proba(panel)


def test_most_annotators_win_over_most_votes() -> None:
    # Label 1 has two narrow winners, label 0 one unanimous one: ballots count, not shares.
    got = verdicts([[EVEN] * 3], [[[1.0, 0, 0], [0.4, 0.6, 0], [0.4, 0.6, 0]]])
    np.testing.assert_allclose(got[0], [1 / 3, 2 / 3, 0], atol=1e-3)


def test_a_tie_goes_to_the_larger_share_of_votes() -> None:
    got = verdicts([[EVEN] * 2], [[[0.6, 0, 0.4], [0, 0.9, 0.1]]])
    assert got[0].argmax() == 1


def test_an_invalid_annotator_abstains() -> None:
    got = verdicts([[[0.9, 0.1, 0.0], EVEN]], [[[0, 0, 0], [0, 0, 1.0]]])
    assert got[0].argmax() == 2
    assert got[0, 0] < 0.01


def test_without_any_valid_vote_the_probabilities_decide() -> None:
    got = verdicts([[[0.1, 0.7, 0.2], EVEN]], [[[0, 0, 0], [0, 0, 0]]])
    assert got[0].argmax() == 1
