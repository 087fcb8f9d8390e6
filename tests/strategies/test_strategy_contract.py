"""The contract that every registered query strategy keeps."""

import numpy as np
import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.rng import stream
from mollia_cli.strategies import STRATEGIES
from mollia_cli.strategies.base import Pick, Signals, Strategy

SIZE, LABELS, MEMBERS, DIMENSIONS = 60, 4, 5, 8
ALL_SIGNALS = ("probabilities", "embeddings", "dropout", "perturbed", "panel", "confidence", "answers")


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def make_signals(size: int = SIZE) -> dict[str, np.ndarray]:
    rng = stream(3, "signals", size)
    logits = rng.normal(size=(size, LABELS)) * 2
    return {
        "probabilities": softmax(logits),
        "embeddings": rng.normal(size=(size, DIMENSIONS)),
        "dropout": softmax(logits + rng.normal(size=(MEMBERS, size, LABELS)) * 0.5),
        "perturbed": rng.normal(size=(size, 12)) * rng.gamma(1.0, size=(size, 1)),
        "panel": softmax(rng.normal(size=(size, 3, LABELS))) * rng.uniform(0.5, 1.0, size=(size, 3, 1)),
        "confidence": rng.uniform(0.3, 1.0, size=size),
        "answers": rng.uniform(size=size),
    }


def ids_for(size: int) -> tuple[str, ...]:
    """Ids whose order has nothing to do with the rows'."""
    return tuple(f"{value:03d}" for value in stream(4, "ids").permutation(size))


def take(values: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: array[:, rows] if name == "dropout" else array[rows] for name, array in values.items()}


def pick(strategy: Strategy, ids: tuple[str, ...], values: dict[str, np.ndarray], n: int) -> list[Pick]:
    """A selection with the strategy's own signals only, and three labelled items."""
    labelled = stream(5, "labelled").normal(size=(3, DIMENSIONS))
    needed = {name: values[name] for name in strategy.needs}
    return strategy.select(Signals(ids, labelled_embeddings=labelled, **needed), n, stream(6, "select"))


# Each strategy with each signal that it declares.
NEEDED = [(name, signal) for name in STRATEGIES for signal in sorted(STRATEGIES.load(name).needs)]


def all_but(exception: str) -> list[str]:
    return [name for name in STRATEGIES if name != exception]


@pytest.fixture(params=list(STRATEGIES))
def strategy(request: pytest.FixtureRequest) -> Strategy:
    return STRATEGIES.load(request.param)()


class TestContract:
    def test_is_registered_under_its_name(self, strategy: Strategy) -> None:
        assert strategy.name in STRATEGIES
        assert type(strategy).__module__ == f"mollia_cli.strategies.{strategy.name}"
        assert strategy.source
        assert STRATEGIES.summary(strategy.name)
        assert strategy.needs <= set(ALL_SIGNALS)

    @pytest.mark.parametrize("n", [1, 7, SIZE - 1, SIZE])
    def test_picks_n_distinct_candidates_with_finite_scores(self, strategy: Strategy, n: int) -> None:
        ids = ids_for(SIZE)
        picks = pick(strategy, ids, make_signals(), n)
        assert len(picks) == len({chosen.id for chosen in picks}) == n
        assert {chosen.id for chosen in picks} <= set(ids)
        assert all(type(chosen.score) is float and np.isfinite(chosen.score) for chosen in picks)

    @pytest.mark.parametrize("strategy", all_but("badge"), indirect=True)  # it draws: a later one may be farther away
    def test_the_best_comes_first(self, strategy: Strategy) -> None:
        scores = [chosen.score for chosen in pick(strategy, ids_for(SIZE), make_signals(), 20)]
        assert scores == sorted(scores, reverse=True)

    def test_takes_all_where_fewer_are_left(self, strategy: Strategy) -> None:
        ids = ids_for(5)
        assert sorted(chosen.id for chosen in pick(strategy, ids, make_signals(5), 9)) == sorted(ids)

    def test_takes_none_where_none_are_asked_for_or_left(self, strategy: Strategy) -> None:
        assert pick(strategy, ids_for(SIZE), make_signals(), 0) == []
        assert pick(strategy, (), take(make_signals(), np.arange(0)), 5) == []

    def test_one_candidate(self, strategy: Strategy) -> None:
        assert [chosen.id for chosen in pick(strategy, ("only",), make_signals(1), 1)] == ["only"]

    def test_the_order_of_the_candidates_does_not_matter(self, strategy: Strategy) -> None:
        ids, values = ids_for(SIZE), make_signals()
        expected = pick(strategy, ids, values, 12)
        for shuffle in range(3):
            rows = stream(7, shuffle).permutation(SIZE)
            found = pick(strategy, tuple(ids[row] for row in rows), take(values, rows), 12)
            assert [chosen.id for chosen in found] == [chosen.id for chosen in expected]
            np.testing.assert_allclose([c.score for c in found], [c.score for c in expected], rtol=1e-9)

    @pytest.mark.parametrize("strategy", all_but("random"), indirect=True)
    def test_ties_go_to_the_lowest_id(self, strategy: Strategy) -> None:
        same = take(make_signals(), np.zeros(SIZE, dtype=int))
        picks = pick(strategy, ids_for(SIZE), same, 10)
        assert [chosen.id for chosen in picks] == sorted(ids_for(SIZE))[:10]

    def test_doubled_items_do_not_break_the_order_of_candidates(self, strategy: Strategy) -> None:
        rows = np.arange(SIZE) // 2
        ids, values = ids_for(SIZE), take(make_signals(), rows)
        shuffled = stream(8, "doubled").permutation(SIZE)
        found = pick(strategy, tuple(ids[row] for row in shuffled), take(values, shuffled), 40)
        assert [chosen.id for chosen in found] == [chosen.id for chosen in pick(strategy, ids, values, 40)]

    def test_the_same_generator_gives_the_same_batch(self, strategy: Strategy) -> None:
        ids, values = ids_for(SIZE), make_signals()
        assert pick(strategy, ids, values, 9) == pick(strategy, ids, values, 9)

    def test_float32_signals_do(self, strategy: Strategy) -> None:
        ids, values = ids_for(SIZE), {name: array.astype(np.float32) for name, array in make_signals().items()}
        assert len(pick(strategy, ids, values, 9)) == 9

    def test_leaves_its_signals_alone(self, strategy: Strategy) -> None:
        values = make_signals()
        for array in values.values():
            array.flags.writeable = False
        pick(strategy, ids_for(SIZE), values, 9)  # to write there raises ValueError
        for name, array in make_signals().items():
            np.testing.assert_array_equal(values[name], array)

    @pytest.mark.parametrize(("strategy", "name"), NEEDED, indirect=["strategy"])
    def test_a_signal_that_was_not_computed_is_named(self, strategy: Strategy, name: str) -> None:
        rest = {other: array for other, array in make_signals().items() if other != name}
        with pytest.raises(InputError, match=name):
            strategy.select(Signals(ids_for(SIZE), **rest), 5, stream(6, "select"))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize(("strategy", "name"), NEEDED, indirect=["strategy"])
    def test_nan_and_infinity_are_refused(self, strategy: Strategy, name: str, value: float) -> None:
        values = make_signals()
        values[name].flat[17] = value
        with pytest.raises(InputError, match=f"{name!r} holds NaN or infinity"):
            pick(strategy, ids_for(SIZE), values, 5)

    @pytest.mark.parametrize(("strategy", "name"), NEEDED, indirect=["strategy"])
    def test_signals_of_another_length_are_refused(self, strategy: Strategy, name: str) -> None:
        values = make_signals() | {name: make_signals(SIZE - 1)[name]}
        with pytest.raises(InputError, match="for 60 items"):
            pick(strategy, ids_for(SIZE), values, 5)

    @pytest.mark.parametrize(
        "strategy", [name for name in STRATEGIES if not STRATEGIES.load(name).needs], indirect=True
    )
    def test_who_needs_nothing_looks_at_nothing(self, strategy: Strategy) -> None:
        assert pick(strategy, ids_for(SIZE), {}, 9) == pick(strategy, ids_for(SIZE), make_signals(), 9)
