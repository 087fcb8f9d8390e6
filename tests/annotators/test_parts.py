"""Small parts: what pruned branches are worth, what to decode ahead, how many threads."""

from types import SimpleNamespace

import numpy as np
import pytest

from mollia_cli.annotators.llama.answers.completion import Completions
from mollia_cli.annotators.llama.answers.forecast import Forecast
from mollia_cli.annotators.llama.answers.trie import LabelTrie
from mollia_cli.annotators.llama.binding import threads
from mollia_cli.annotators.llama.binding.threads import ThreadChoice

PIECES = [b"yes", b"no", b'"', b"y", b"es"]


def test_completions_are_the_mean_over_texts() -> None:
    trie = LabelTrie(("yes", "no"), PIECES)
    root = trie.step(trie.ROOT)
    yes, none = np.array([1.0, 0.0]), np.zeros(2)
    traces = [
        [((), 1.0, none), ((0,), 0.4, 0.3 * yes), ((3,), 0.1, none), ((3, 4), 0.05, 0.05 * yes)],
        [((), 1.0, none), ((0,), 0.2, 0.15 * yes)],
    ]
    expected, bound = Completions(traces).after((), root)
    row = {int(token): i for i, token in enumerate(root.tokens)}
    assert expected[row[0]].tolist() == pytest.approx([0.75, 0.0])  # (.3 + .15) / (.4 + .2)
    assert expected[row[3]].tolist() == pytest.approx([0.5, 0.0])  # through its child
    assert expected[row[1]].tolist() == pytest.approx([0.0, 0.5])  # never seen: the middle
    assert expected[row[2]].tolist() == pytest.approx([0.25, 0.25])  # never seen, either label
    assert bound[row[0]] == pytest.approx(0.75)
    assert bound[row[1]] == pytest.approx(0.5)
    assert (bound <= 1.0).all()


def test_forecast_follows_what_is_asked() -> None:
    forecast = Forecast()
    assert forecast.plan() == []
    for _ in range(10):
        forecast.learn([(7,), (7, 8), (9,)])
    assert forecast.plan() == [(7,), (9,), (7, 8)]
    for turn in range(200):
        forecast.learn([(9,)] if turn % 4 else [(9,), (7,)])
    assert forecast.plan() == [(9,)]


def test_forecast_keeps_parents_before_children() -> None:
    forecast = Forecast()
    deep = [tuple(range(depth)) for depth in range(1, 30)]
    for _ in range(8):
        forecast.learn(deep)
    plan = forecast.plan()
    assert 0 < len(plan) < 29
    assert all(path[:-1] in plan or len(path) == 1 for path in plan)


class Clock:
    """A machine on which a decode takes as long as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float]) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.used: list[int] = []
        monkeypatch.setattr(threads, "perf_counter", lambda: self.now)
        monkeypatch.setattr(threads, "candidates", lambda: sorted(seconds, reverse=True))

    def decode(self, choice: ThreadChoice) -> None:
        context = SimpleNamespace(set_threads=self.used.append)
        with choice.timed(context, 512):  # type: ignore[arg-type]
            self.now += self.seconds[self.used[-1]]


def test_the_fastest_thread_count_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, {4: 1.0, 2: 0.8, 1: 1.5})
    choice = ThreadChoice()
    for _ in range(8):
        clock.decode(choice)
    assert clock.used == [4, 2, 1, 2, 2, 2, 2, 2]


def test_others_are_tried_again_when_it_becomes_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, {2: 1.0, 1: 1.8})
    choice = ThreadChoice()
    for _ in range(4):
        clock.decode(choice)
    clock.seconds = {2: 9.0, 1: 1.8}  # another program needs the other core
    for _ in range(4):
        clock.decode(choice)
    assert clock.used[-2:] == [1, 1]


def test_a_given_thread_count_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, {3: 1.0})
    choice = ThreadChoice(3)
    for _ in range(3):
        clock.decode(choice)
    assert clock.used == [3, 3, 3]
