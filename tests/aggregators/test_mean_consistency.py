"""Mean of vote shares."""

import numpy as np

from mollia_cli.aggregators.mean_consistency import MeanConsistency

from .panels import panel_of


def test_shares_are_averaged_and_normalised() -> None:
    z = np.full((1, 2, 2), 0.5)
    panel = panel_of(z, np.array([[[1.0, 0.0], [0.2, 0.4]]]))
    got = MeanConsistency().fit(panel, np.array([0]), panel).predict_proba(panel)
    np.testing.assert_allclose(got, [[1.2 / 1.6, 0.4 / 1.6]], atol=1e-5)


def test_without_votes_the_probabilities_speak() -> None:
    panel = panel_of(np.array([[[0.2, 0.6]]]), np.zeros((1, 1, 2)))
    got = MeanConsistency().fit(panel, np.array([0]), panel).predict_proba(panel)
    np.testing.assert_allclose(got, [[0.25, 0.75]])
