"""A run after a review: it goes on with people's new labels, reads nothing again, and says what changed."""

from collections.abc import Callable

import numpy as np
import pytest
from doubles import FakeLLM

from mollia_cli.domain.decisions import IGNORE, LABEL, Decision
from mollia_cli.domain.items import Item
from mollia_cli.insight.rerun import rerun
from mollia_cli.insight.review import open_review
from mollia_cli.insight.status import next_step, status
from mollia_cli.loop.round import train_now
from mollia_cli.loop.run import run_repeats, run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project
from mollia_cli.store.runs import Round

MakeProject = Callable[..., Project]


@pytest.fixture
def finished(make_project: MakeProject) -> Project:
    """A run that has all its rounds."""
    project = make_project()
    run_rounds(project, *open_run(project, rounds=1), until=1)
    return project


def again(project: Project) -> list[Round]:
    """What ``mollia run`` does, typed once more; only the rounds that it makes."""
    made: list[Round] = []
    run_repeats(project, "", 1, made.append)
    return made


def said(project: Project) -> list[str]:
    """What the project says from now on."""
    heard: list[str] = []
    project.say = heard.append  # type: ignore[method-assign]
    return heard


def answer(project: Project, n: int) -> list[str]:
    """n labels by a review, each another one than the verdict; returns the items."""
    review = open_review(project, limit=n)
    for _ in range(n):
        assert review.card is not None and review.card.verdict is not None
        review.label((review.card.verdict.label + 1) % len(project.labels))
    return review.queue


def test_a_finished_run_makes_no_round_without_new_labels(finished: Project) -> None:
    heard = said(finished)
    assert again(finished) == []
    assert not [line for line in heard if "labels" in line and "learns from" in line]


def test_a_finished_run_learns_from_a_review(finished: Project, fake_llm: type[FakeLLM]) -> None:
    answer(finished, 3)
    fake_llm.asked.clear()
    heard = said(finished)
    [made] = again(finished)
    metrics = made.metrics or {}
    assert made.number == 2 and metrics["people"] == 3 and metrics["selected"] == 0
    assert metrics["gold"] == 18 + 3
    assert fake_llm.asked == []  # nothing is read for it
    # the fit has learned from them, too
    fit = finished.store.verdicts.fit(made.fit) if made.fit is not None else None
    assert fit is not None and fit.seed_items == 18 + 3
    assert "run main: labels have changed since round 1 (21 now, 18 then); round 2 learns from them" in heard
    assert again(finished) == []


def test_what_the_labels_changed_is_said(finished: Project) -> None:
    before = status(finished).rounds[-1].fit
    asked = answer(finished, 2)
    heard = said(finished)
    [made] = again(finished)
    assert before is not None and made.fit is not None
    verdicts = finished.store.verdicts
    both = [i for i in verdicts.confidences(before) if i in verdicts.confidences(made.fit) and i not in asked]
    old, new = verdicts.get(before, both), verdicts.get(made.fit, both)
    changed = int((old.labels != new.labels).sum())
    [line] = [line for line in heard if "verdicts changed" in line]
    assert line == (
        f"run main round 2: 20 labels instead of 18; {changed} of {len(both)} other verdicts changed,"
        f" their mean confidence {np.mean(old.confidences):.3f} -> {np.mean(new.confidences):.3f}"
    )


def test_new_seeds_changed_labels_and_ignored_texts_count_too(finished: Project) -> None:
    decide = finished.store.decisions.add
    first, second = finished.store.items.ids("pool")[:2]
    decide(Decision(first, LABEL, "anna", 1, seed=True))
    assert [(made.metrics or {})["gold"] for made in again(finished)] == [19]
    decide(Decision(first, LABEL, "anna", 2, seed=True))  # as many as before
    assert [(made.metrics or {})["gold"] for made in again(finished)] == [19]
    decide(Decision(second, IGNORE, "anna"))
    assert len(again(finished)) == 1
    assert again(finished) == []


def test_a_run_with_rounds_left_learns_from_them_in_its_next_round(finished: Project) -> None:
    answer(finished, 2)
    rounds: list[Round] = []
    run_repeats(finished, "", 1, rounds.append, rounds=2)
    assert [(made.number, (made.metrics or {})["selected"]) for made in rounds] == [(2, 5)]


def test_a_run_that_has_used_up_the_pool_learns_from_them(finished: Project) -> None:
    run_rounds(finished, *open_run(finished, rounds=20), until=20)
    assert len(status(finished).rounds) < 20
    answer(finished, 2)
    assert [(made.metrics or {})["selected"] for made in again(finished)] == [0]


def test_status_says_that_a_run_has_labels_to_learn_from(finished: Project) -> None:
    assert not status(finished).new_labels
    assert next_step(status(finished)) == "mollia review --limit 25, then mollia run; or mollia predict texts.csv"
    answer(finished, 1)
    assert status(finished).new_labels
    assert next_step(status(finished)) == "mollia run (learns from the labels that it has not seen)"


def test_train_learns_from_a_label_that_was_changed(finished: Project) -> None:
    [item_id] = answer(finished, 1)
    train_now(finished)
    other = (finished.store.decisions.labels()[item_id] + 1) % len(finished.labels)
    finished.store.decisions.add(Decision(item_id, LABEL, "anna", other))
    assert train_now(finished).number == 3


def test_a_round_that_selected_nothing_is_repeated_as_such(finished: Project) -> None:
    with finished.store.transaction():
        finished.store.items.add([Item("new", "Where is my invoice?", "seed", 0)], "later")
    assert len(again(finished)) == 1
    found = rerun(finished, "main")
    assert found.compared == 3 and not [one for one in found.differences if one.what == "items"]
