"""The contract that every registered stopping criterion keeps, and what each stops at."""

from dataclasses import replace

import numpy as np
import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.rng import stream
from mollia_cli.stopping import STOPPING
from mollia_cli.stopping.agreement import Agreement
from mollia_cli.stopping.base import Criterion, History
from mollia_cli.stopping.budget import Budget
from mollia_cli.stopping.plateau import Plateau
from mollia_cli.stopping.uncertainty import Uncertainty

ITEMS, LABELS = 200, 4


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def opinions(sharpness: list[float], noise: list[float]) -> np.ndarray:
    """Classifiers of the same items, each so sure and so different from the common truth."""
    rng = stream(0, "opinions")
    truth = 3 * np.eye(LABELS)[rng.integers(0, LABELS, ITEMS)]
    return np.stack(
        [softmax(s * (truth + n * rng.normal(size=truth.shape))) for s, n in zip(sharpness, noise, strict=True)]
    )


LEARNING = opinions([0.3, 0.5, 0.7, 0.9, 1.1, 1.3], [3.0, 2.5, 2.0, 1.5, 1.0, 0.8])
LEARNT = opinions([3.0] * 6, [0.01] * 6)


@pytest.mark.parametrize("name", list(STOPPING))
class TestContract:
    def new(self, name: str) -> Criterion:
        made = STOPPING.load(name)()
        assert isinstance(made, Criterion)
        return made

    def test_says_what_it_is(self, name: str) -> None:
        criterion = self.new(name)
        assert criterion.name == name
        assert criterion.source
        assert STOPPING.summary(name)

    def test_goes_on_at_the_start(self, name: str) -> None:
        assert self.new(name).reason(History()) == ""
        assert self.new(name).reason(History(LEARNING[:1], np.array([0.5]), 10, 1.0)) == ""

    def test_goes_on_while_there_is_something_to_learn(self, name: str) -> None:
        scores = np.linspace(0.5, 0.9, len(LEARNING))
        assert self.new(name).reason(History(LEARNING, scores, 10**9, 10**6)) == ""
        assert self.new(name).reason(History(LEARNING, np.zeros(0), 10**9, 10**6)) == ""

    def test_the_same_history_gives_the_same_reason(self, name: str) -> None:
        past = History(LEARNT, np.full(len(LEARNT), 0.9))
        assert self.new(name).reason(past) == self.new(name).reason(past)
        assert bool(self.new(name).reason(past)) == (name in ("plateau", "agreement", "uncertainty"))

    def test_the_order_of_the_stop_set_does_not_matter(self, name: str) -> None:
        order = stream(1, "order").permutation(ITEMS)
        assert self.new(name).reason(History(LEARNT)) == self.new(name).reason(History(LEARNT[:, order]))

    def test_it_leaves_its_history_alone(self, name: str) -> None:
        frozen = LEARNT.copy()
        frozen.flags.writeable = False
        self.new(name).reason(History(frozen))  # to write there raises ValueError
        np.testing.assert_array_equal(frozen, LEARNT)

    def test_an_empty_stop_set(self, name: str) -> None:
        assert self.new(name).reason(History(np.zeros((5, 0, LABELS)))) == ""

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
    def test_what_is_no_probability_is_refused(self, name: str, bad: float) -> None:
        values = LEARNT.copy()
        values[2, 3, 1] = bad
        with pytest.raises(InputError, match="no probabilities"):
            self.new(name).reason(History(values))


def test_plateau_prefers_gold_scores_to_its_own_estimate() -> None:
    flat = np.array([0.5, 0.7, 0.8, 0.801, 0.8, 0.802, 0.8])
    assert "validation" in Plateau().reason(History(scores=flat))
    assert Plateau().reason(History(LEARNT, np.linspace(0.5, 0.9, 6))) == ""
    assert "estimated" in Plateau().reason(History(LEARNT))


def test_plateau_goes_on_after_a_record() -> None:
    assert Plateau().reason(History(scores=np.array([0.5, 0.8, 0.8, 0.8, 0.8]))) != ""
    assert Plateau().reason(History(scores=np.array([0.5, 0.8, 0.8, 0.8, 0.86]))) == ""
    assert Plateau(epsilon=0.1).reason(History(scores=np.array([0.5, 0.8, 0.8, 0.8, 0.86]))) != ""


def test_agreement_is_the_mean_kappa_of_the_window() -> None:
    # 100 items half and half; 2 of them change their label once: kappa .96, mean of three pairs .98667
    said = np.tile(np.repeat([0, 1], 50), (4, 1))
    said[3, :2] = 1
    past = History(np.eye(2)[said])
    assert Agreement().reason(past) == ""
    assert "mean kappa 0.9867" in Agreement(kappa=0.98).reason(past)
    assert Agreement(window=4, kappa=0.1).reason(past) == ""


def test_classifiers_that_know_one_label_only_agree() -> None:
    assert Agreement().reason(History(np.eye(2)[np.zeros((4, 10), dtype=int)]))


def test_uncertainty_looks_at_the_last_classifier() -> None:
    unsure_last = History(np.concatenate([LEARNT[:2], np.full((1, ITEMS, LABELS), 0.25)]))
    assert Uncertainty().reason(unsure_last) == ""
    assert Uncertainty(threshold=1.01).reason(unsure_last).startswith("the classifier is confident on the pool: mean")


def test_a_budget_is_used_up_when_it_is_reached() -> None:
    past = History(tokens=1000, minutes=2.5)
    assert Budget().reason(past) == ""
    assert Budget(tokens=1001, minutes=2.6).reason(past) == ""
    assert "1,000 tokens" in Budget(tokens=1000).reason(past)
    assert "2.5 minutes" in Budget(tokens=2000, minutes=2.5).reason(past)
    assert Budget(tokens=1).reason(replace(past, tokens=0)) == ""
