"""The paper's baselines: found as a package's, the aggregators' contract, the residual MLP and what stands on it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aggregators.panels import made_panel
from aggregators.test_contract import Contract

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.features import interleave, softmax
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.rng import stream

BASELINES = ("fixmatch", "snail")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

with pytest.MonkeyPatch.context() as path:
    path.syspath_prepend(BENCHMARKS)
    from baselines import fixmatch
    from baselines.fixmatch import FixMatch
    from baselines.mlp import Adam, Scaler, backward, forward, initial
    from baselines.snail import SNAIL


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a script of benchmarks/, whose own folder is on the path."""
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.parametrize("name", BASELINES)
class TestBaselinesKeepTheContract(Contract):
    pass


def test_they_come_from_their_own_package() -> None:
    assert [name for name in AGGREGATORS if not AGGREGATORS.package(name).startswith("mollia 0")] == list(BASELINES)
    assert {AGGREGATORS.package(name) for name in BASELINES} == {"mollia-baselines 0.1.0"}


def test_the_papers_table_measures_them_by_one_command(tmp_path: Path) -> None:
    panel, gold = made_panel(100, annotators=2, classes=3)
    np.save(tmp_path / "never_seen_meta_x.npy", interleave(panel.probabilities, panel.votes))
    np.save(tmp_path / "never_seen_meta_y.npy", gold)
    command = [
        sys.executable,
        str(BENCHMARKS / "paper_tables.py"),
        "--features",
        str(tmp_path),
        "--seeds",
        "1",
        "--json",
    ]
    done = subprocess.run(
        [*command, "--methods", ",".join(BASELINES)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    methods = json.loads(done.stdout)["datasets"]["never_seen"]["methods"]
    assert set(methods) == set(BASELINES)
    assert all(row["mean"] > 0.5 for row in methods.values())


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


def test_the_pools_loss_is_the_mean_over_all_that_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """FixMatch: rows that are not sure enough count as 0, so that a few sure ones do not rule."""
    panel, gold = made_panel(260)
    last: list[FloatArray] = []
    weighed: list[FloatArray] = []
    forward, backward = fixmatch.forward, fixmatch.backward

    def spied_forward(parameters: Any, x: FloatArray) -> Any:
        found = forward(parameters, x)
        last[:] = [softmax(found[0])]
        return found

    def spied_backward(parameters: Any, states: Any, slope: FloatArray) -> Any:
        # a row's slope is its weight times (p - wanted): negative at the label that was wanted, by weight times 1 - p
        rows, wanted = np.arange(len(slope)), slope.argmin(axis=1)
        weighed.append(-slope[rows, wanted] / (1.0 - last[0][rows, wanted]))
        return backward(parameters, states, slope)

    monkeypatch.setattr(fixmatch, "forward", spied_forward)
    monkeypatch.setattr(fixmatch, "backward", spied_backward)
    fixmatch.FixMatch(steps=20, threshold=0.7).fit(panel.take(range(20)), gold[:20], panel.take(range(20, 260)), 0)
    assert any(50 < len(weights) < 400 for weights in weighed)
    for weights in weighed:
        np.testing.assert_allclose(weights[:50], 1 / 50, rtol=1e-6)
        np.testing.assert_allclose(weights[50:], 1 / 350, rtol=1e-6)
