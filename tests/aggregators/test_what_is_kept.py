"""What an aggregator keeps to: the panel's order, its settings, the data it may learn from, the length of a text."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mollia_cli.aggregators import molam
from mollia_cli.aggregators.conditional_logit import ConditionalLogit
from mollia_cli.aggregators.mol import MoL
from mollia_cli.aggregators.molam import MoLAM
from mollia_cli.aggregators.single import Single
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.observations import FloatArray

from .panels import made_panel, panel_of

PANEL, GOLD = made_panel(120)
SEED, POOL = PANEL.take(range(30)), PANEL.take(range(30, 120))


def test_the_same_annotators_in_another_order_are_another_panel() -> None:
    fitted = MoL(estimators=5).fit(SEED, GOLD[:30], POOL)
    turned = replace(POOL, annotators=tuple(reversed(POOL.annotators)))
    with pytest.raises(RefusedError, match="llm2, llm1, llm0"):
        fitted.predict_proba(turned)


def test_a_restored_aggregator_has_its_settings() -> None:
    fitted = ConditionalLogit(tree_weight=0.0, trees=5, landmarks=7).fit(SEED, GOLD[:30], POOL, 1)
    again = ConditionalLogit.from_json(json.loads(json.dumps(fitted.to_json())))
    assert (again.tree_weight, again.trees, again.landmarks) == (0.0, 5, 7)
    np.testing.assert_allclose(again.predict_proba(POOL), fitted.predict_proba(POOL), atol=1e-9)


def test_mol_learns_nothing_from_the_pool() -> None:
    alone = MoL(estimators=60).fit(SEED, GOLD[:30], POOL.take([])).predict_proba(POOL)
    np.testing.assert_array_equal(MoL(estimators=60).fit(SEED, GOLD[:30], POOL).predict_proba(POOL), alone)
    assert (MoLAM(estimators=60).fit(SEED, GOLD[:30], POOL).predict_proba(POOL) != alone).any()


def test_a_row_is_pseudo_labelled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    original = molam.boost

    def boost(features: FloatArray, *rest: Any) -> Any:
        sizes.append(len(features))
        assert len(np.unique(features[30:], axis=0)) == len(features) - 30
        return original(features, *rest)

    monkeypatch.setattr(molam, "boost", boost)
    MoLAM(estimators=60, least_added=0.0).fit(SEED, GOLD[:30], POOL)
    assert sizes[0] == 30 and len(sizes) > 2 and sizes == sorted(sizes) and sizes[-1] <= 120


def test_the_best_single_llm_is_right_most_often_not_surest() -> None:
    gold = np.array([0, 1, 0, 1])
    often, sure = np.eye(2)[gold] * 0.02 + 0.49, np.eye(2)[gold] * 0.98 + 0.01
    sure[0] = [0.45, 0.55]  # wrong once, by little
    z = np.stack([sure, often], axis=1)
    panel = panel_of(z, z)
    np.testing.assert_allclose(Single().fit(panel, gold, panel.take([])).predict_proba(panel), often)
