"""Aggregation in a project: calibrated confidence, target precision, negative labels."""

import json
from dataclasses import replace
from typing import get_type_hints

import numpy as np
import pytest

from mollia_cli.aggregators.dawid_skene import DawidSkene
from mollia_cli.aggregators.precision import LEVEL
from mollia_cli.cli.aggregate import aggregate as command
from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.loop.aggregate import aggregate, fit_aggregator, negative_rule
from mollia_cli.loop.cascade import Cascaded, ask
from mollia_cli.loop.select import select
from mollia_cli.project.context import Project
from mollia_cli.project.observe import members, stack


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
    np.testing.assert_allclose(done.verdicts.confidences, done.fitted.predict_proba(pool).max(axis=1))


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


def test_a_target_precision_is_kept(observed: Project) -> None:
    done = aggregate(observed, target_precision=0.8)
    gold = truth(observed)
    assert done.threshold is not None
    confident = [v for v in done.verdicts.rows() if v.confidence >= done.threshold.confidence]
    assert done.below == len(done.verdicts) - len(confident) > 0
    right = [v.label == gold[v.item_id] for v in confident]
    everyone = [v.label == gold[v.item_id] for v in done.verdicts.rows()]
    assert np.mean(right) > 0.9 > np.mean(everyone)


def test_the_threshold_is_the_same_whatever_is_asked_for(observed: Project) -> None:
    pool = observed.store.items.ids("pool")
    whole = aggregate(observed, target_precision=0.8)
    for ids in (pool[:7], pool[150:], pool[::-1]):
        done = aggregate(observed, ids=ids, target_precision=0.8)
        assert done.threshold == whole.threshold
        assert done.verdicts.ids == tuple(ids)
        np.testing.assert_array_equal(done.verdicts.confidences, whole.verdicts.of(ids).confidences)


def test_what_people_reviewed_neither_calibrates_nor_promises(observed: Project) -> None:
    before = fit_aggregator(observed, "single")
    gold = truth(observed)
    for pick in select(observed, "doubt", 40):
        wrong = (gold[pick.id] + 1) % len(observed.labels)
        observed.store.decisions.add(Decision(pick.id, LABEL, "anna", wrong))
    after = fit_aggregator(observed, "single")
    assert before.calibration is not None and after.calibration is not None
    assert (before.fit.seed_items, after.fit.seed_items) == (60, 100)
    assert len(after.calibration.right) == len(after.calibration.placed) == 60
    assert after.calibration.right.mean() == pytest.approx(before.calibration.right.mean(), abs=0.1)
    assert after.calibration.temperature < 2 * before.calibration.temperature


@pytest.mark.parametrize("name", ["conditional_logit", "mol"])
def test_doubt_picks_what_falls_below(observed: Project, name: str) -> None:
    settings = observed.settings
    observed.settings = replace(settings, aggregate=replace(settings.aggregate, aggregator=name))
    done = aggregate(observed, target_precision=0.8)
    assert done.threshold is not None
    below = {v.item_id for v in done.verdicts.rows() if v.confidence < done.threshold.confidence}
    assert {pick.id for pick in select(observed, "doubt", done.below)} == below


def test_the_command_promises_at_the_same_level(observed: Project, capsys: pytest.CaptureFixture[str]) -> None:
    command(target_precision=0.8, summary=True, project=observed.root)
    assert json.loads(capsys.readouterr().out)["target"]["confidence_level"] == LEVEL
    (option,) = get_type_hints(command, include_extras=True)["confidence_level"].__metadata__
    assert f"Default: {LEVEL:g}." in option.help


def test_seeds_that_are_too_few_say_how_many_would_do(observed: Project) -> None:
    with pytest.raises(InputError, match=r"0\.97 needs about \d+ confident labels .* you have \d+") as caught:
        aggregate(observed, target_precision=0.97)
    assert "mollia label --seed" in caught.value.hint and "mollia review" in caught.value.hint


def test_delta_is_chosen_on_the_seeds(observed: Project) -> None:
    panel = members(observed)
    chosen = negative_rule(observed, panel)
    assert chosen.bound == 0.02
    # floor(0.02 * 61) = 1: the smallest evidence for a true label, which is not below itself.
    assert (chosen.false_negatives, chosen.items) == (0.0, 60)
    assert chosen.delta > 0.001
    gold = truth(observed)
    done = aggregate(observed)
    assert sum(gold[v.item_id] in v.negatives for v in done.verdicts.rows()) / 200 < 0.06
    assert done.verdicts.negatives.sum(axis=1).mean() > 0.5


def test_delta_in_the_settings_is_kept(observed: Project) -> None:
    settings = observed.settings
    observed.settings = replace(settings, aggregate=replace(settings.aggregate, delta=0.5))
    rule = negative_rule(observed, members(observed))
    assert (rule.delta, rule.bound) == (0.5, None)
    assert rule.false_negatives > 0.05


def test_the_last_aggregation_is_the_last_one_that_was_asked_for(observed: Project) -> None:
    aggregate(observed, "vote")
    aggregate(observed, "mean_logits")
    aggregate(observed, "vote")
    fit_aggregator(observed, "mol")
    latest = observed.store.verdicts.latest_fit()
    assert latest is not None and latest.aggregator == "vote"


def rows_of(project: Project, fit: int) -> list[tuple[object, ...]]:
    return project.store._db.execute("SELECT * FROM verdicts WHERE fit = ? ORDER BY item", [fit]).fetchall()


def with_delta(project: Project, delta: float) -> None:
    project.settings = replace(project.settings, aggregate=replace(project.settings.aggregate, delta=delta))


@pytest.mark.parametrize("name", ["vote", "conditional_logit"])
def test_a_fits_verdicts_never_change(observed: Project, name: str) -> None:
    first = aggregate(observed, name).fitted.fit
    cited = rows_of(observed, first.id)
    with_delta(observed, 0.5)
    done = aggregate(observed, name)
    assert done.fitted.fit.id != first.id
    assert rows_of(observed, first.id) == cited
    stored = observed.store.verdicts.get(done.fitted.fit.id, observed.store.items.ids("pool"))
    np.testing.assert_array_equal(stored.of(done.verdicts.ids).negatives, done.verdicts.negatives)
    assert [row[-1] for row in rows_of(observed, done.fitted.fit.id)] != [row[-1] for row in cited]

    with_delta(observed, 0.0)
    assert aggregate(observed, name).fitted.fit.id == first.id
    assert rows_of(observed, first.id) == cited


def test_a_cascades_verdicts_never_change(observed: Project) -> None:
    ids = observed.store.items.ids("pool")

    def cascade(threshold: float) -> Cascaded:
        return ask(observed, ["cyd", "ada"], threshold, ids, "vote")

    first = cascade(0.4)
    cited = rows_of(observed, first.fit.id)
    for threshold, delta in ((0.99, 0.0), (0.4, 0.5)):
        with_delta(observed, delta)
        again = cascade(threshold)
        assert again.fit.id != first.fit.id
        assert len(again.verdicts) == len(ids)
        assert rows_of(observed, first.fit.id) == cited
    with_delta(observed, 0.0)
    assert cascade(0.4).fit == first.fit


def test_the_version_and_the_settings_of_an_aggregator_are_part_of_a_fits_identity(
    observed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = [fit_aggregator(observed, "dawid_skene").fit.id]
    with monkeypatch.context() as patch:
        patch.setattr("mollia_cli.loop.aggregate.__version__", "9.9")
        fits.append(fit_aggregator(observed, "dawid_skene").fit.id)
    with monkeypatch.context() as patch:
        patch.setattr(DawidSkene, "settings", lambda self: {"passes": 3})
        fits.append(fit_aggregator(observed, "dawid_skene").fit.id)
    assert len(set(fits)) == 3
    assert fit_aggregator(observed, "dawid_skene").fit.id == fits[0]


def test_the_last_aggregation_has_the_verdicts_that_it_made_and_no_others(observed: Project) -> None:
    pool = observed.store.items.ids("pool")
    for part in (pool[:5], pool[5:8]):
        aggregate(observed, "vote", part)
        latest = observed.store.verdicts.latest_fit()
        assert latest is not None
        assert set(observed.store.verdicts.confidences(latest.id)) == set(part)
    fits = {fit_aggregator(observed, "single", (), pool, wanted).fit.id for wanted in (None, pool, pool[:5], ())}
    assert len(fits) == 3
