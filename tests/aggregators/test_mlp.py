"""The residual MLP and what stands on it."""

import numpy as np
import pytest

from mollia_cli.aggregators.fixmatch import FixMatch
from mollia_cli.aggregators.mlp import Adam, Scaler, backward, forward, initial
from mollia_cli.aggregators.snail import SNAIL
from mollia_cli.domain.rng import stream

from .panels import made_panel


def numeric(loss, parameters: list[np.ndarray], which: int, at: tuple[int, ...]) -> float:
    step, kept = 1e-6, parameters[which][at]
    parameters[which][at] = kept + step
    above = loss()
    parameters[which][at] = kept - step
    below = loss()
    parameters[which][at] = kept
    return (above - below) / (2 * step)


def test_gradients_are_the_slopes_of_the_loss() -> None:
    rng = stream(0, "mlp")
    parameters, x, wanted = initial(5, 3, rng), rng.normal(size=(7, 5)), rng.normal(size=(7, 3))

    def loss() -> float:
        return float(((forward(parameters, x)[0] - wanted) ** 2).sum() / 2)

    outputs, states = forward(parameters, x)
    gradients = backward(parameters, states, outputs - wanted)
    for which, values in enumerate(parameters):
        at = tuple(int(rng.integers(size)) for size in values.shape)
        assert gradients[which][at] == pytest.approx(numeric(loss, parameters, which, at), rel=1e-4, abs=1e-6)


def test_snail_gradients_go_through_the_attention() -> None:
    panel, gold = made_panel(20)
    fitted = SNAIL(episodes=1).fit(panel, gold, panel.take([]), 0)
    support, query = np.arange(12), np.arange(12, 20)

    def loss() -> float:
        kept = fitted._support, fitted._labels
        fitted._support, fitted._labels = kept[0][support], kept[1][support]
        try:
            p = fitted.predict_proba(panel.take(query))
        finally:
            fitted._support, fitted._labels = kept
        return float(-np.log(p[np.arange(8), gold[query]]).mean())

    gradients = fitted._gradients(support, query)
    for which in (0, 2, 4, 6, 7):
        at = tuple(size // 2 for size in fitted._parameters[which].shape)
        slope = numeric(loss, fitted._parameters, which, at)
        assert gradients[which][at] == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_adam_finds_the_minimum() -> None:
    parameters = [np.array([3.0, -2.0])]
    optimiser = Adam(rate=0.05, decay=0.0)
    for _ in range(400):
        optimiser.step(parameters, [parameters[0] - 1.0])
    np.testing.assert_allclose(parameters[0], 1.0, atol=1e-2)


def test_a_constant_feature_is_scaled_to_zero() -> None:
    features = np.array([[1.0, 5.0], [3.0, 5.0]])
    np.testing.assert_allclose(Scaler.of(features)(features), [[-1, 0], [1, 0]])


def test_fixmatch_learns_from_the_pool() -> None:
    panel, gold = made_panel(300)
    seed, pool = panel.take(range(12)), panel.take(range(12, 300))
    alone = FixMatch(steps=60, threshold=1.1).fit(seed, gold[:12], pool, 0).predict_proba(pool)
    both = FixMatch(steps=60, threshold=0.8).fit(seed, gold[:12], pool, 0).predict_proba(pool)
    assert both.max(axis=1).mean() > alone.max(axis=1).mean()
