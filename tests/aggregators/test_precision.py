"""A promised precision: kept as often as it says, from which confidence on, and when there is none."""

import itertools
import re
from collections.abc import Callable

import numpy as np
import pytest

from mollia_cli.aggregators.precision import error_bounds, labels_needed, threshold_for
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.rng import stream

N = 50


def share_missed(
    precise: Callable[[np.ndarray], np.ndarray], target: float, n: int = N, draws: int = 2000
) -> tuple[float, float]:
    """The share of seed sets that break their promise, and of those that get one.

    A verdict at rank u (0 the surest, 1 the least sure) is right with probability ``precise(u)``.
    """
    grid = (np.arange(20_000) + 0.5) / 20_000
    above = np.cumsum(precise(grid)) / np.arange(1, len(grid) + 1)
    rng = stream(5, "promise", target, n)
    missed = answered = 0
    for _ in range(draws):
        rank = rng.random(n)
        right = rng.random(n) < precise(rank)
        try:
            found = threshold_for(1.0 - rank, right, target)
        except InputError:
            continue
        answered += 1
        missed += above[int((1.0 - found.confidence) * len(grid)) - 1] < target
    return missed / draws, answered / draws


@pytest.mark.proof
@pytest.mark.parametrize("target", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("drop", [0.0, 0.5, 0.7, 0.9])
def test_at_most_one_seed_set_in_five_breaks_the_promise(target: float, drop: float) -> None:
    # just too low throughout; or just right down to ``drop``, and no better than chance from there on
    def precise(u: np.ndarray) -> np.ndarray:
        return np.where(u < drop, target, 0.5 if drop else target - 1e-4)

    missed, answered = share_missed(precise, target)
    assert missed <= 0.2 + 2 * np.sqrt(0.2 * 0.8 / 2000)
    if not drop:
        assert missed == answered


@pytest.mark.parametrize(("target", "answers"), [(0.8, 0.95), (0.9, 0.7), (0.95, 0.25)])
def test_good_verdicts_are_promised(target: float, answers: float) -> None:
    missed, answered = share_missed(lambda u: 1.0 - 0.45 * u**3, target)
    assert missed <= 0.2
    assert answered >= answers


def test_the_bounds_count_every_way_to_break_the_promise() -> None:
    n, target, level = 14, 0.7, 0.8
    bounds = error_bounds(n, target, level)
    broken = np.zeros(n + 1)  # for m seeds above the lowest confidence that keeps the target
    for outcome in itertools.product([0, 1], repeat=n):
        wrong = np.concatenate([[0], np.cumsum(outcome)])
        chance = (1 - target) ** wrong[-1] * target ** (n - wrong[-1])
        last = int(np.flatnonzero(bounds.holds(wrong))[-1]) if bounds.holds(wrong).any() else 0
        broken[: last + 1] += chance if last else 0.0
    assert broken.max() <= 1.0 - level
    # they are no stricter than they have to be: more errors anywhere would break it too often
    assert broken[0] > 0.5 * (1.0 - level)
    assert bounds.go_on[n] == 2 and (bounds.go_on >= bounds.begin).all() and (bounds.go_on > bounds.begin).any()


def test_a_promise_that_has_begun_goes_on_with_looser_bounds() -> None:
    bounds = error_bounds(N, 0.8, 0.8)
    j = int(np.flatnonzero(bounds.go_on > bounds.begin)[0])
    wrong = np.concatenate([np.zeros(j), np.full(N + 1 - j, bounds.go_on[j])]).astype(np.int64)
    assert bounds.holds(wrong)[j - 1 : j + 1].all()
    late = np.full(N + 1, bounds.go_on[j])
    late[0] = 0
    assert not bounds.holds(late)[j]


def test_fifty_seeds_by_hand() -> None:
    # 0.95^31 > 0.2 > 0.95^32: so many have to be right one after the other
    confidence = np.linspace(0.99, 0.5, N)
    found = threshold_for(confidence, np.arange(N) < 32, 0.95)
    assert (found.seeds, found.right) == (32, 32)
    assert found.confidence == pytest.approx(confidence[31], abs=1e-6) and found.confidence <= confidence[31]
    with pytest.raises(InputError):
        threshold_for(confidence, np.arange(N) < 31, 0.95)
    # one wrong verdict ends a promise of 0.95 for fifty seeds, and not one of 0.8
    one = np.arange(N) != 40
    assert threshold_for(confidence, one, 0.95).seeds == 40
    everything = threshold_for(confidence, one, 0.8)
    assert (everything.seeds, everything.right, everything.confidence) == (50, 49, 0.0)


def test_a_higher_level_asks_for_more() -> None:
    confidence = np.linspace(0.99, 0.5, 100)
    right = np.arange(100) % 20 != 19
    assert threshold_for(confidence, right, 0.9, 0.5).seeds >= threshold_for(confidence, right, 0.9, 0.8).seeds
    with pytest.raises(InputError, match=r"level of 0\.99"):
        threshold_for(confidence, right, 0.9, 0.99)


def test_how_large_confidences_are_changes_nothing() -> None:
    rng = stream(6, "scale")
    confidence = rng.random(N)
    right = rng.random(N) < 0.7 + 0.3 * confidence
    plain, blown_up = threshold_for(confidence, right, 0.8), threshold_for(confidence**0.01, right, 0.8)
    assert (plain.seeds, plain.right) == (blown_up.seeds, blown_up.right)


def test_seeds_of_equal_confidence_are_taken_together() -> None:
    confidence = np.full(N, 0.9)
    right = np.ones(N, dtype=bool)
    assert threshold_for(confidence, right, 0.95).seeds == N
    right[40:] = False
    with pytest.raises(InputError):
        threshold_for(confidence, right, 0.95)
    with pytest.raises(InputError):
        threshold_for(confidence, right[::-1], 0.95)


def test_too_few_labels_say_how_many_would_do() -> None:
    right = np.arange(N) < 31
    with pytest.raises(
        InputError, match=r"0\.95 needs about (\d+) confident labels with none wrong; you have 31"
    ) as caught:
        threshold_for(np.linspace(0.99, 0.5, N), right, 0.95)
    advice = re.search(r"label about (\d+) more: mollia label --seed (\d+); .*mollia review", caught.value.hint)
    assert advice is not None
    more, total = map(int, advice.groups())
    assert total == N + more
    # so many seeds like these would do
    assert threshold_for(np.linspace(0.99, 0.5, total), np.arange(total) < total * 31 // N, 0.95).target == 0.95


def test_fewer_good_seeds_need_more_labels() -> None:
    totals = []
    for good in (30, 20, 10):
        needed = labels_needed(np.concatenate([np.zeros(good + 1), np.arange(1, N - good + 1)]).astype(int), 0.95, 0.8)
        assert needed is not None
        totals.append(needed[0])
    assert N < totals[0] < totals[1] < totals[2]


def test_labels_that_would_not_help_are_not_asked_for() -> None:
    with pytest.raises(InputError, match="32 of the 32 most confident verdicts are wrong") as caught:
        threshold_for(np.linspace(0.99, 0.5, N), np.zeros(N, dtype=bool), 0.95)
    assert "mollia review" in caught.value.hint and "--seed" not in caught.value.hint
    with pytest.raises(InputError, match="no seed label was drawn at random"):
        threshold_for(np.zeros(0), np.zeros(0, dtype=bool), 0.95)


@pytest.mark.parametrize(("target", "level"), [(0.0, 0.8), (1.0, 0.8), (0.9, 0.0), (0.9, 1.0)])
def test_what_no_promise_can_be(target: float, level: float) -> None:
    with pytest.raises(InputError, match="not between 0 and 1"):
        threshold_for(np.ones(N), np.ones(N, dtype=bool), target, level)
