"""What the text models of `refine` are trained on: the seeds at their weight, and the surest verdicts."""

from pathlib import Path

import numpy as np
import pytest
from aggregators.panels import made_panel

from mollia_cli.aggregators.conditional_logit import ConditionalLogit
from mollia_cli.aggregators.features import most_confident
from mollia_cli.domain.observations import FloatArray, IntArray

with pytest.MonkeyPatch.context() as path:
    path.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from baselines.text import refine

PANEL, GOLD = made_panel(200, annotators=2, classes=3)
SEED, POOL = PANEL.take(range(30)), PANEL.take(range(30, 200))


def fast() -> ConditionalLogit:
    return ConditionalLogit(trees=0, landmarks=10)


def test_seeds_weigh_five_and_only_sure_verdicts_are_learned() -> None:
    learned: dict[int, tuple[int, float]] = {}

    def spy(train: IntArray, targets: FloatArray, weights: FloatArray, judge: IntArray) -> FloatArray:
        assert (targets.sum(axis=1) == 1).all() and (targets.max(axis=1) == 1).all()  # hard labels
        found = zip(train.tolist(), targets.argmax(axis=1).tolist(), weights.tolist(), strict=True)
        learned.update({row: (label, weight) for row, label, weight in found})
        return np.full((len(judge), 3), 1 / 3)

    refine(fast, SEED, GOLD[:30], POOL, {"spy": spy}, 0, rounds=1, keep=0.5)
    verdicts = fast().fit(SEED, GOLD[:30], POOL, 0).predict_proba(POOL)
    sure = most_confident(verdicts, 0.5)
    expected = {row: (int(GOLD[row]), 5.0) for row in range(30)}
    expected |= {30 + int(row): (int(verdicts[row].argmax()), 1.0) for row in sure}
    assert learned == expected
    assert 80 < len(sure) < 90
