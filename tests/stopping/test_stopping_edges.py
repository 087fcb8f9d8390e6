"""The least history that a criterion can say anything about."""

import numpy as np

from mollia_cli.stopping.agreement import Agreement
from mollia_cli.stopping.base import History
from mollia_cli.stopping.plateau import Plateau


def test_a_plateau_needs_one_round_more_than_its_window() -> None:
    flat = np.full(4, 0.8)
    assert Plateau().reason(History(scores=flat[:3])) == ""
    assert Plateau().reason(History(scores=flat)) != ""


def test_an_agreement_of_three_pairs_needs_four_rounds() -> None:
    said = np.eye(2)[np.tile([0, 1], (4, 20))]
    assert Agreement().reason(History(said[:3])) == ""
    assert Agreement().reason(History(said)) != ""
