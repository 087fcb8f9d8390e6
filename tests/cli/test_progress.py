"""Bars: what is shown of work that takes long, and what stays out of the way."""

import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from mollia_cli.cli import common, progress
from mollia_cli.cli.progress import ProgressBar
from mollia_cli.domain.progress import UNKNOWN, step
from mollia_cli.insight.evaluate import evaluate_panel
from mollia_cli.insight.report import report
from mollia_cli.loop.round import advance
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project


class Screen:
    """Stands for rich's Progress: what is on it, by task, as a person reads it."""

    def __init__(self) -> None:
        self.shown: dict[int, Any] = {}
        self.seen: list[str] = []

    def start(self) -> None: ...
    def stop(self) -> None: ...

    def add_task(self, what: str, completed: int, total: int | None, work: Any) -> int:
        self.seen.append(what)
        self.shown[len(self.seen)] = (what, completed, total, work)
        return len(self.seen)

    def update(self, task: int, completed: int, total: int | None) -> None:
        what, _, _, work = self.shown[task]
        self.shown[task] = (what, completed, total, work)

    def remove_task(self, task: int) -> None:
        del self.shown[task]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    found = Screen()
    monkeypatch.setattr(progress, "_bar", lambda: found)
    monkeypatch.setattr(progress, "_SHOW_AFTER_SECONDS", 0.05)
    return found


def wait_for(true: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    assert true()


def test_work_that_says_nothing_before_its_end_is_named_meanwhile(screen: Screen) -> None:
    bar = ProgressBar(True)
    with step(bar, "loading qwen"):
        wait_for(lambda: screen.shown)
        ((what, _, total, work),) = screen.shown.values()
        assert (what, total, work.said) == ("loading qwen", None, "0 s")
    assert not screen.shown


def test_quick_work_is_not_shown_and_neither_is_any_without_a_terminal(screen: Screen) -> None:
    for enabled in (True, False):
        bar = ProgressBar(enabled)
        bar("reading", 0, 10)
        bar("reading", 10, 10)
        if not enabled:
            bar("reading", 0, 10)
        time.sleep(0.15)
    assert not screen.seen


def test_the_time_left_is_of_all_that_has_passed_since_the_work_began(screen: Screen) -> None:
    """Work that is first heard of with 20 of 120 done, when 20 more take 10 s: the 20 before took no time of these."""
    bar = ProgressBar(True)
    bar("predict", 20, 120)
    bar("predict", 40, 120)
    work = bar._work["predict"]
    work.started -= 10
    assert work.said == "40/120  40 s left"
    bar.stop()


def test_of_what_nobody_has_counted_no_time_left_is_said(screen: Screen) -> None:
    bar = ProgressBar(True)
    bar("reading in.csv", 4000, UNKNOWN)
    wait_for(lambda: screen.shown)
    ((_, _, total, work),) = screen.shown.values()
    assert total is None and work.said == "4,000  0 s"
    bar("reading in.csv", 5000, 5000)
    assert not screen.shown


def test_data_stay_on_stdout_while_a_bar_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich takes what is printed to the bar's stream, which is stderr: in a pipe that would be data lost."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes stderr for a terminal
    before = sys.stdout
    bar = progress._bar()
    bar.start()
    try:
        assert sys.stdout is before
    finally:
        bar.stop()


def test_no_bar_is_drawn_over_an_answer(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    bar = ProgressBar(True)
    bar("annotating with ann", 0, 3)
    wait_for(lambda: screen.shown)

    def typed(question: str) -> str:
        assert not screen.shown
        return "1"

    monkeypatch.setattr(common, "ask", typed)
    assert common._ask_between(bar, "Which label?") == "1"


def test_all_work_begins_with_nothing_done_and_ends(make_project: Callable[..., Project]) -> None:
    """A bar that is first heard of with much done, or never ends, says a wrong time."""
    project, seen = make_project(), {}

    def heard(what: str, done: int, total: int) -> None:
        first, _, _ = seen.get(what, (done, 0, 0))
        seen[what] = (first, done, total)
        if total == done and total > 1:
            ended.append(what)

    ended: list[str] = []
    project.progress = heard
    advance(project, *open_run(project, "", strategy="random"))
    evaluate_panel(project, "test")
    report(project)
    assert {what for what, (first, done, total) in seen.items() if first or done != total} == set()
    assert "report (parts)" in ended and any(what.startswith("annotating with") for what in ended)
    assert any(what.startswith("loading the classifier of run main") for what in seen)
