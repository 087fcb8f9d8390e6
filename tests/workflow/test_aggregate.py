"""Aggregation in a project: calibrated confidence, target precision, negative labels."""

from dataclasses import replace

import numpy as np
import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.workflow.aggregate import aggregate, fit_aggregator, negative_rule
from mollia_cli.workflow.annotate import members, stack
from mollia_cli.workflow.project import Project
from mollia_cli.workflow.select import select


def truth(project: Project) -> dict[str, int]:
    return {item.id: item.label for item in project.store.items.in_split("pool") if item.label is not None}


@pytest.mark.parametrize("name", ["conditional_logit", "mol", "dawid_skene", "single"])
def test_what_learns_is_calibrated(observed: Project, name: str) -> None:
    fitted = fit_aggregator(observed, name)
    assert fitted.calibration is not None
    assert len(fitted.calibration.right) == 60
    pool = stack(observed, fitted.panel, observed.store.items.ids("pool"))
    raw = fitted.aggregator.predict_proba(pool)
    calibrated = fitted.predict_proba(pool)
    np.testing.assert_array_equal(raw.argmax(axis=1), calibrated.argmax(axis=1))
    if abs(np.log(fitted.calibration.temperature)) > 0.05:
        assert np.abs(raw - calibrated).max() > 0.005


def test_verdicts_carry_the_calibrated_confidence(observed: Project) -> None:
    done = aggregate(observed)
    pool = stack(observed, done.fitted.panel, observed.store.items.ids("pool"))
    assert done.fitted.calibration is not None and done.fitted.calibration.temperature != 1.0
    np.testing.assert_allclose(
        [verdict.confidence for verdict in done.verdicts], done.fitted.predict_proba(pool).max(axis=1)
    )


def test_what_learns_nothing_is_left_as_it_is(observed: Project) -> None:
    assert fit_aggregator(observed, "vote").calibration is None
    with pytest.raises(InputError, match="vote learns nothing"):
        aggregate(observed, "vote", target_precision=0.9)


def test_a_fit_that_is_read_has_the_calibration_that_it_had(observed: Project) -> None:
    first, second = fit_aggregator(observed), fit_aggregator(observed)
    assert first.fit.id == second.fit.id
    assert first.calibration is not None and second.calibration is not None
    assert first.calibration.temperature == second.calibration.temperature
    np.testing.assert_array_equal(first.calibration.confidence, second.calibration.confidence)
    np.testing.assert_array_equal(first.calibration.right, second.calibration.right)


def test_a_target_precision_is_about_kept(observed: Project) -> None:
    done = aggregate(observed, target_precision=0.95)
    gold = truth(observed)
    assert done.threshold is not None
    sure = [v for v in done.verdicts if v.confidence >= done.threshold.confidence]
    assert done.below == len(done.verdicts) - len(sure) > 0
    assert done.threshold.coverage == pytest.approx(len(sure) / 200)
    right = [v.label == gold[v.item_id] for v in sure]
    everyone = [v.label == gold[v.item_id] for v in done.verdicts]
    assert np.mean(right) > 0.9 > np.mean(everyone)


@pytest.mark.parametrize("name", ["conditional_logit", "mol"])
def test_doubt_picks_what_falls_below(observed: Project, name: str) -> None:
    settings = observed.settings
    observed.settings = replace(settings, aggregate=replace(settings.aggregate, aggregator=name))
    done = aggregate(observed, target_precision=0.95)
    assert done.threshold is not None
    below = {v.item_id for v in done.verdicts if v.confidence < done.threshold.confidence}
    assert {pick.id for pick in select(observed, "doubt", done.below)} == below


def test_no_verdict_that_sure(observed: Project) -> None:
    with pytest.raises(InputError, match=r"0\.99999"):
        aggregate(observed, target_precision=0.99999)


def test_delta_is_chosen_on_the_seeds(observed: Project) -> None:
    panel = members(observed)
    chosen = negative_rule(observed, panel)
    assert chosen.bound == 0.02
    # floor(0.02 * 61) = 1: the smallest evidence for a true label, which is not below itself.
    assert (chosen.false_negatives, chosen.items) == (0.0, 60)
    assert chosen.delta > 0.001
    gold = truth(observed)
    done = aggregate(observed)
    assert sum(gold[v.item_id] in v.negatives for v in done.verdicts) / 200 < 0.06
    assert np.mean([len(v.negatives) for v in done.verdicts]) > 0.5


def test_delta_in_the_settings_is_kept(observed: Project) -> None:
    settings = observed.settings
    observed.settings = replace(settings, aggregate=replace(settings.aggregate, delta=0.5))
    rule = negative_rule(observed, members(observed))
    assert (rule.delta, rule.bound) == (0.5, None)
    assert rule.false_negatives > 0.05


def test_the_last_aggregation_is_the_last_one_that_concluded(observed: Project) -> None:
    aggregate(observed, "vote")
    aggregate(observed, "mean_logits")
    aggregate(observed, "vote")
    fit_aggregator(observed, "mol")
    latest = observed.store.verdicts.latest_fit()
    assert latest is not None and latest.aggregator == "vote"
