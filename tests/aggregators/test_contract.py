"""What every registered aggregator must do."""

import json
from dataclasses import fields, replace
from functools import cache
from typing import ClassVar

import numpy as np
import pytest

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.base import Aggregator
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.observations import FloatArray, Panel

from .panels import made_panel, telling_texts

_, GOLD = made_panel(200)
SEED_GOLD, POOL_GOLD = GOLD[:40], GOLD[40:]


@cache
def made(texts: bool, n: int = 200, annotators: int = 3, classes: int = 4) -> Panel:
    """Made-up LLMs, and where ``texts`` an encoder that has read the texts."""
    panel, gold = made_panel(n, annotators, classes)
    return replace(panel, texts=telling_texts(panel, gold)) if texts else panel


def new(name: str) -> Aggregator:
    made = AGGREGATORS.load(name)()
    assert isinstance(made, Aggregator)
    return made


@cache
def fitted_once(name: str, texts: bool) -> Aggregator:
    """Fitted as usual, for tests that only look."""
    panel = made(texts)
    return new(name).fit(panel.take(range(40)), SEED_GOLD, panel.take(range(40, 200)), 1)


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
    """For a class of tests with a parameter ``name``. ``texts``: the panel has an encoder."""

    texts: ClassVar[bool] = False

    @property
    def seed(self) -> Panel:
        return made(self.texts).take(range(40))

    @property
    def pool(self) -> Panel:
        return made(self.texts).take(range(40, 200))

    def test_says_what_it_is(self, name: str) -> None:
        aggregator = new(name)
        assert aggregator.name == name
        assert aggregator.source
        assert AGGREGATORS.summary(name)

    def test_learns_something(self, name: str) -> None:
        probabilities = fitted_once(name, self.texts).predict_proba(self.pool)
        is_distribution(probabilities, 160)
        assert (probabilities.argmax(axis=1) == POOL_GOLD).mean() > 0.6

    def test_same_seed_same_answer(self, name: str) -> None:
        again = new(name).fit(self.seed, SEED_GOLD, self.pool, 1).predict_proba(self.pool)
        np.testing.assert_array_equal(fitted_once(name, self.texts).predict_proba(self.pool), again)

    def test_rows_do_not_depend_on_their_company(self, name: str) -> None:
        fitted = fitted_once(name, self.texts)
        np.testing.assert_allclose(
            fitted.predict_proba(self.pool)[5:9], fitted.predict_proba(self.pool.take(range(5, 9))), atol=1e-6
        )

    def test_saved_and_loaded_is_the_same(self, name: str) -> None:
        fitted = fitted_once(name, self.texts)
        state = json.loads(json.dumps(fitted.to_json(), allow_nan=False))
        assert state["annotators"] == list(self.seed.annotators)
        again = AGGREGATORS.load(name).from_json(state)
        np.testing.assert_allclose(fitted.predict_proba(self.pool), again.predict_proba(self.pool), atol=1e-7)

    def test_another_panel_is_refused(self, name: str) -> None:
        fitted = fitted_once(name, self.texts)
        other = replace(self.pool, annotators=("llm0", "llm1", "stranger"))
        with pytest.raises(RefusedError, match="stranger"):
            fitted.predict_proba(other)
        with pytest.raises(RefusedError, match="labels"):
            fitted.predict_proba(made(self.texts, 5, classes=3))

    def test_settings_travel_with_the_state(self, name: str) -> None:
        state = fitted_once(name, self.texts).to_json()
        assert set(state["settings"]) == {setting.name for setting in fields(AGGREGATORS.load(name))}

    def test_another_aggregators_state_is_refused(self, name: str) -> None:
        with pytest.raises(RefusedError, match="nobody's"):
            AGGREGATORS.load(name).from_json({"aggregator": "nobody's"})

    def test_unfitted_is_refused(self, name: str) -> None:
        with pytest.raises(RefusedError, match="not fitted"):
            new(name).predict_proba(self.pool)

    def test_labels_that_do_not_fit_are_refused(self, name: str) -> None:
        with pytest.raises(InputError, match="39"):
            new(name).fit(self.seed, SEED_GOLD[:39], self.pool)
        with pytest.raises(InputError, match="labels"):
            new(name).fit(self.seed, SEED_GOLD + 1, self.pool)

    def test_no_pool(self, name: str) -> None:
        fitted = new(name).fit(self.seed, SEED_GOLD, self.pool.take([]), 1)
        is_distribution(fitted.predict_proba(self.pool), 160)
        is_distribution(fitted.predict_proba(self.pool.take([])), 0)

    def test_no_seeds(self, name: str) -> None:
        aggregator = new(name)
        if aggregator.learns:
            with pytest.raises(InputError, match="seed"):
                aggregator.fit(self.seed.take([]), SEED_GOLD[:0], self.pool)
        else:
            is_distribution(aggregator.fit(self.seed.take([]), SEED_GOLD[:0], self.pool).predict_proba(self.pool), 160)

    def test_one_seed_per_class(self, name: str) -> None:
        rows = [int(np.flatnonzero(k == SEED_GOLD)[0]) for k in range(4)]
        fitted = new(name).fit(self.seed.take(rows), SEED_GOLD[rows], self.pool, 1)
        is_distribution(fitted.predict_proba(self.pool), 160)

    def test_single_seed(self, name: str) -> None:
        fitted = new(name).fit(self.seed.take([0]), SEED_GOLD[:1], self.pool, 1)
        is_distribution(fitted.predict_proba(self.pool), 160)

    def test_class_missing_among_the_seeds(self, name: str) -> None:
        rows = np.flatnonzero(SEED_GOLD != 2)
        fitted = new(name).fit(self.seed.take(rows), SEED_GOLD[rows], self.pool, 1)
        is_distribution(fitted.predict_proba(self.pool), 160)

    def test_member_that_is_all_invalid(self, name: str) -> None:
        seed, pool = without_member(self.seed, 1), without_member(self.pool, 1)
        probabilities = new(name).fit(seed, SEED_GOLD, pool, 1).predict_proba(pool)
        is_distribution(probabilities, 160)
        assert (probabilities.argmax(axis=1) == POOL_GOLD).mean() > 0.5

    def test_constant_features(self, name: str) -> None:
        flat = replace(
            self.pool,
            log_probs=np.full_like(self.pool.log_probs, -2.0),
            votes=np.full_like(self.pool.votes, 0.25),
            invalid=np.zeros_like(self.pool.invalid),
        )
        is_distribution(new(name).fit(flat.take(range(40)), SEED_GOLD, flat, 1).predict_proba(flat), 160)

    def test_one_annotator_two_labels(self, name: str) -> None:
        panel, gold = made(self.texts, 60, 1, 2), made_panel(60, annotators=1, classes=2)[1]
        fitted = new(name).fit(panel.take(range(20)), gold[:20], panel.take(range(20, 60)), 1)
        is_distribution(fitted.predict_proba(panel), 60, classes=2)


@pytest.mark.parametrize("name", list(AGGREGATORS))
class TestContract(Contract):
    pass


@pytest.mark.parametrize("name", [name for name in AGGREGATORS if AGGREGATORS.load(name).reads])
class TestContractWithTexts(Contract):
    texts = True

    def test_a_panel_without_its_encoders_is_refused(self, name: str) -> None:
        with pytest.raises(RefusedError, match="mini"):
            fitted_once(name, True).predict_proba(replace(made(False), ids=tuple(f"new{i}" for i in range(200))))
