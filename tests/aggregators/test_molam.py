"""MoLAM as the paper defines it."""

import numpy as np
import pytest

from mollia_cli.aggregators.features import paper_features
from mollia_cli.aggregators.molam import PRESETS, MoLAM

from .panels import made_panel, panel_of

PANEL, GOLD = made_panel(400)
SEED, POOL = PANEL.take(range(50)), PANEL.take(range(50, 400))


def test_features_are_the_papers_order() -> None:
    z = np.array([[[0.1, 0.2], [0.3, 0.4]]])
    c = np.array([[[0.5, 0.6], [0.7, 0.8]]])
    np.testing.assert_allclose(paper_features(panel_of(z, c)), [[0.1, 0.2, 0.5, 0.6, 0.3, 0.4, 0.7, 0.8]])


def test_presets_are_table_5() -> None:
    assert {name: tuple(preset.values()) for name, preset in PRESETS.items()} == {
        "ag_news": (0.07, 5, 300),
        "imdb": (0.01, 5, 300),
        "trec": (0.05, 6, 300),
        "pubmed": (0.01, 3, 500),
    }


def test_the_seeds_are_learned() -> None:
    fitted = MoLAM().fit(SEED, GOLD[:50], POOL)
    assert (fitted.predict_proba(SEED).argmax(axis=1) == GOLD[:50]).mean() > 0.9


def test_pseudo_labels_are_taken_from_the_pool() -> None:
    alone = MoLAM(estimators=60).fit(SEED, GOLD[:50], POOL.take([])).predict_proba(POOL)
    refitted = MoLAM(estimators=60).fit(SEED, GOLD[:50], POOL).predict_proba(POOL)
    # What was sure becomes surer, because it is trained on.
    assert refitted.max(axis=1).mean() > alone.max(axis=1).mean() + 0.05


def test_pseudo_labelling_goes_on_after_the_first_pass() -> None:
    # 0.99 of the pool is never added at once: a single pass.
    once = MoLAM(estimators=60, least_added=0.99).fit(SEED, GOLD[:50], POOL).predict_proba(POOL)
    until_nothing = MoLAM(estimators=60, least_added=0.0).fit(SEED, GOLD[:50], POOL).predict_proba(POOL)
    assert (until_nothing.max(axis=1) > 0.9).sum() > (once.max(axis=1) > 0.9).sum()


def test_no_row_reaches_sigma_then_nothing_is_refitted() -> None:
    alone = MoLAM(estimators=60).fit(SEED, GOLD[:50], POOL.take([])).predict_proba(POOL)
    strict = MoLAM(estimators=60, sigma=1.0).fit(SEED, GOLD[:50], POOL).predict_proba(POOL)
    np.testing.assert_array_equal(alone, strict)


def test_a_single_annotator_that_lies_consistently_is_put_right() -> None:
    # The annotator always answers the next label: a vote is always wrong, MoLAM learns the shift.
    gold = np.arange(200) % 3
    z = np.full((200, 1, 3), 0.05)
    z[np.arange(200), 0, (gold + 1) % 3] = 0.9
    panel = panel_of(z, z)
    fitted = MoLAM().fit(panel.take(range(50)), gold[:50], panel.take(range(50, 200)))
    assert (fitted.predict_proba(panel).argmax(axis=1) == gold).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_constructs(preset: str) -> None:
    assert MoLAM(**PRESETS[preset]).estimators == PRESETS[preset]["estimators"]
