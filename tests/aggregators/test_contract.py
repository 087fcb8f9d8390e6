"""What every registered aggregator must do."""

import json
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.base import Aggregator
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.observations import FloatArray, Panel

from .panels import made_panel

PANEL, GOLD = made_panel(200)
SEED, POOL = PANEL.take(range(40)), PANEL.take(range(40, 200))
SEED_GOLD, POOL_GOLD = GOLD[:40], GOLD[40:]


def new(name: str) -> Aggregator:
    made = AGGREGATORS.load(name)()
    assert isinstance(made, Aggregator)
    return made


@cache
def fitted_once(name: str) -> Aggregator:
    """Fitted as usual, for tests that only look."""
    return new(name).fit(SEED, SEED_GOLD, POOL, 1)


def is_distribution(probabilities: FloatArray, rows: int, classes: int = 4) -> None:
    assert probabilities.shape == (rows, classes)
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-9)


def without_member(panel: Panel, member: int) -> Panel:
    """The panel with one annotator that never gave a valid answer."""
    log_probs, votes, invalid = panel.log_probs.copy(), panel.votes.copy(), panel.invalid.copy()
    log_probs[:, member], votes[:, member], invalid[:, member] = -np.inf, 0.0, 1.0
    return replace(panel, log_probs=log_probs, votes=votes, invalid=invalid)


class Contract:
    """For a class of tests with a parameter ``name``."""

    def test_says_what_it_is(self, name: str) -> None:
        aggregator = new(name)
        assert aggregator.name == name
        assert aggregator.source
        assert AGGREGATORS.summary(name)

    def test_learns_something(self, name: str) -> None:
        probabilities = fitted_once(name).predict_proba(POOL)
        is_distribution(probabilities, 160)
        assert (probabilities.argmax(axis=1) == POOL_GOLD).mean() > 0.6

    def test_same_seed_same_answer(self, name: str) -> None:
        again = new(name).fit(SEED, SEED_GOLD, POOL, 1).predict_proba(POOL)
        np.testing.assert_array_equal(fitted_once(name).predict_proba(POOL), again)

    def test_rows_do_not_depend_on_their_company(self, name: str) -> None:
        fitted = fitted_once(name)
        np.testing.assert_allclose(
            fitted.predict_proba(POOL)[5:9], fitted.predict_proba(POOL.take(range(5, 9))), atol=1e-6
        )

    def test_saved_and_loaded_is_the_same(self, name: str) -> None:
        fitted = fitted_once(name)
        state = json.loads(json.dumps(fitted.to_json(), allow_nan=False))
        assert state["annotators"] == list(SEED.annotators)
        again = AGGREGATORS.load(name).from_json(state)
        np.testing.assert_allclose(fitted.predict_proba(POOL), again.predict_proba(POOL), atol=1e-7)

    def test_another_panel_is_refused(self, name: str) -> None:
        fitted = fitted_once(name)
        other = replace(POOL, annotators=("llm0", "llm1", "stranger"))
        with pytest.raises(RefusedError, match="stranger"):
            fitted.predict_proba(other)
        with pytest.raises(RefusedError, match="labels"):
            fitted.predict_proba(made_panel(5, classes=3)[0])

    def test_settings_travel_with_the_state(self, name: str) -> None:
        state = fitted_once(name).to_json()
        assert set(state["settings"]) == {setting.name for setting in fields(AGGREGATORS.load(name))}

    def test_another_aggregators_state_is_refused(self, name: str) -> None:
        with pytest.raises(RefusedError, match="nobody's"):
            AGGREGATORS.load(name).from_json({"aggregator": "nobody's"})

    def test_unfitted_is_refused(self, name: str) -> None:
        with pytest.raises(RefusedError, match="not fitted"):
            new(name).predict_proba(POOL)

    def test_labels_that_do_not_fit_are_refused(self, name: str) -> None:
        with pytest.raises(InputError, match="39"):
            new(name).fit(SEED, SEED_GOLD[:39], POOL)
        with pytest.raises(InputError, match="labels"):
            new(name).fit(SEED, SEED_GOLD + 1, POOL)

    def test_no_pool(self, name: str) -> None:
        fitted = new(name).fit(SEED, SEED_GOLD, POOL.take([]), 1)
        is_distribution(fitted.predict_proba(POOL), 160)
        is_distribution(fitted.predict_proba(POOL.take([])), 0)

    def test_no_seeds(self, name: str) -> None:
        aggregator = new(name)
        if aggregator.learns:
            with pytest.raises(InputError, match="seed"):
                aggregator.fit(SEED.take([]), SEED_GOLD[:0], POOL)
        else:
            is_distribution(aggregator.fit(SEED.take([]), SEED_GOLD[:0], POOL).predict_proba(POOL), 160)

    def test_one_seed_per_class(self, name: str) -> None:
        rows = [int(np.flatnonzero(k == SEED_GOLD)[0]) for k in range(4)]
        fitted = new(name).fit(SEED.take(rows), SEED_GOLD[rows], POOL, 1)
        is_distribution(fitted.predict_proba(POOL), 160)

    def test_single_seed(self, name: str) -> None:
        fitted = new(name).fit(SEED.take([0]), SEED_GOLD[:1], POOL, 1)
        is_distribution(fitted.predict_proba(POOL), 160)

    def test_class_missing_among_the_seeds(self, name: str) -> None:
        rows = np.flatnonzero(SEED_GOLD != 2)
        fitted = new(name).fit(SEED.take(rows), SEED_GOLD[rows], POOL, 1)
        is_distribution(fitted.predict_proba(POOL), 160)

    def test_member_that_is_all_invalid(self, name: str) -> None:
        seed, pool = without_member(SEED, 1), without_member(POOL, 1)
        probabilities = new(name).fit(seed, SEED_GOLD, pool, 1).predict_proba(pool)
        is_distribution(probabilities, 160)
        assert (probabilities.argmax(axis=1) == POOL_GOLD).mean() > 0.5

    def test_constant_features(self, name: str) -> None:
        flat = replace(
            POOL,
            log_probs=np.full_like(POOL.log_probs, -2.0),
            votes=np.full_like(POOL.votes, 0.25),
            invalid=np.zeros_like(POOL.invalid),
        )
        is_distribution(new(name).fit(flat.take(range(40)), SEED_GOLD, flat, 1).predict_proba(flat), 160)

    def test_one_annotator_two_labels(self, name: str) -> None:
        panel, gold = made_panel(60, annotators=1, classes=2)
        fitted = new(name).fit(panel.take(range(20)), gold[:20], panel.take(range(20, 60)), 1)
        is_distribution(fitted.predict_proba(panel), 60, classes=2)


@pytest.mark.parametrize("name", list(AGGREGATORS))
class TestContract(Contract):
    pass
