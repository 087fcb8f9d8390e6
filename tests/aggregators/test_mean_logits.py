"""Mean of label probabilities."""

import numpy as np

from mollia_cli.aggregators.mean_logits import MeanLogits

from .panels import panel_of


def test_each_annotator_counts_the_same_whatever_its_mass() -> None:
    panel = panel_of(np.array([[[0.8, 0.2], [0.001, 0.009]]]), np.zeros((1, 2, 2)))
    got = MeanLogits().fit(panel, np.array([0]), panel).predict_proba(panel)
    np.testing.assert_allclose(got, [[(0.8 + 0.1) / 2, (0.2 + 0.9) / 2]])


def test_an_annotator_without_mass_says_nothing() -> None:
    panel = panel_of(np.array([[[0.8, 0.2], [0.0, 0.0]]]), np.zeros((1, 2, 2)))
    got = MeanLogits().fit(panel, np.array([0]), panel).predict_proba(panel)
    np.testing.assert_allclose(got, [[0.65, 0.35]])
