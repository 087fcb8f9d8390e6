"""The best single LLM."""

import numpy as np
import pytest

from mollia_cli.aggregators.single import Single
from mollia_cli.domain.errors import InputError

from .panels import panel_of

GOLD = np.array([0, 1, 0, 1])
SURE = np.eye(2)[GOLD] * 0.8 + 0.1
Z = np.stack([1 - SURE, SURE * 0.6 + 0.2, SURE], axis=1)
PANEL = panel_of(Z, Z)


def test_the_one_that_is_right_and_surer_wins() -> None:
    got = Single().fit(PANEL, GOLD, PANEL.take([])).predict_proba(PANEL)
    np.testing.assert_allclose(got, SURE)


def test_a_named_one_is_taken_even_if_it_is_wrong() -> None:
    got = Single(annotator="llm0").fit(PANEL, GOLD, PANEL.take([])).predict_proba(PANEL)
    np.testing.assert_allclose(got, 1 - SURE)


def test_a_stranger_is_an_error() -> None:
    with pytest.raises(InputError, match="llm9"):
        Single(annotator="llm9").fit(PANEL, GOLD, PANEL)
