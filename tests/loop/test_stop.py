"""A run that ends before its number of rounds: why, once, and the same after an interruption."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from doubles import TinyLearner

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.insight.status import status
from mollia_cli.loop import run as runs
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.loop.stop import history, stop_set
from mollia_cli.project.context import Project
from mollia_cli.stopping.agreement import Agreement

MakeProject = Callable[..., Project]
ORACLE = {"annotator": "oracle", "strategy": "random", "batch": 4}


@pytest.fixture(autouse=True)
def easily(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two classifiers that agree by more than chance are enough."""
    monkeypatch.setattr(Agreement.__init__, "__defaults__", (0.1, 1))


def test_it_ends_says_why_and_does_nothing_more(
    make_project: MakeProject, tiny_learner: type[TinyLearner], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    said: list[str] = []
    project.say = said.append
    run, setup = open_run(project, "a", **ORACLE, rounds=4, stop="agreement")
    done = run_rounds(project, run, setup, 4)
    assert 2 <= len(done) < 5
    assert said[-1].startswith(f"run a ends after round {done[-1].number}: the last 2 classifiers agree")
    assert status(project).stopped == said[-1].split(": ", 1)[1]

    monkeypatch.setattr(runs, "advance", lambda *_: pytest.fail("another round"))
    monkeypatch.setattr(tiny_learner, "load", lambda *_, **__: pytest.fail("asked again"))
    assert run_rounds(project, run, setup, 4) == done
    assert said[-1] == said[-2]


def test_interrupted_between_it_ends_where_it_would_have(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = make_project("whole"), make_project("broken")
    expected = run_rounds(whole, *open_run(whole, "a", **ORACLE, rounds=4, stop="agreement"), 4)
    run, setup = open_run(broken, "a", **ORACLE, rounds=4, stop="agreement")
    for number in range(len(expected)):
        with monkeypatch.context() as patch:
            patch.setattr(runs, "stop_reason", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                run_rounds(broken, run, setup, 4)
        run_rounds(broken, run, setup, number)
    assert run_rounds(broken, run, setup, 4)[-1].metrics == expected[-1].metrics
    assert broken.store.runs.stopped(run) == whole.store.runs.stopped(run) != ""


def test_what_it_looks_at_has_no_label(make_real_project: MakeProject) -> None:
    project = make_real_project()
    run, setup = open_run(project, "a", **ORACLE, rounds=1)
    rounds = run_rounds(project, run, setup, 1)
    assert not project.store.runs.opinions(run, 0)  # nobody asked
    seen = history(project, run, setup, rounds, Agreement())
    assert set(stop_set(project)) <= set(project.store.items.ids("pool"))
    assert seen.opinions.shape == (2, 40, 6)
    np.testing.assert_allclose(seen.opinions.sum(axis=2), 1.0, atol=1e-5)
    assert seen.scores.tolist() == [(record.metrics or {})["validation_f1"] for record in rounds]
    assert seen.tokens == 0


def test_a_budget_holds_beside_any_criterion(observed: Project) -> None:
    with pytest.raises(InputError, match="needs a budget"):
        open_run(observed, "a", stop="budget")
    with pytest.raises(InputError, match="platau"):
        open_run(observed, "a", stop="platau")
    _, setup = open_run(observed, "a", stop="plateau", budget_tokens=100)
    from mollia_cli.loop.stop import stop_reason
    from mollia_cli.store.runs import Round

    rounds = [Round("a", 0, metrics={}, seconds={"train": 90.0})]
    # 60 seed and 200 pool items of three LLMs, 9 tokens each
    assert stop_reason(observed, "a", setup, rounds) == "the budget of 100 tokens is used up: 7,020"
    _, setup = open_run(observed, "a", stop="rounds", budget_tokens=0, budget_minutes=1.5)
    assert "1.5 minutes" in stop_reason(observed, "a", setup, rounds)
    _, setup = open_run(observed, "a", budget_minutes=1.6)
    assert stop_reason(observed, "a", setup, rounds) == ""
    assert observed.store.runs.stopped("a") == ""


def test_on_the_command_line(make_project: MakeProject, capsys: pytest.CaptureFixture[str]) -> None:
    root: Path = make_project().root
    command = ["run", "-p", str(root), "--annotator", "oracle", "--strategy", "random", "--rounds", "3", "--json"]
    app([*command, "--budget-minutes", "0.000001"], standalone_mode=False)
    printed = capsys.readouterr()
    shown = json.loads(printed.out)
    assert [row["round"] for row in shown["rounds"]] == [0]
    assert shown["stopped"]["main"].startswith("the budget of 1e-06 minutes")
    assert "run main ends after round 0: the budget" in printed.err
    app(["status", "-p", str(root)], standalone_mode=False)
    assert "run main has ended: the budget" in capsys.readouterr().out
