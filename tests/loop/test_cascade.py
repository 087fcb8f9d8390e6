"""Cascades: who is asked of what, and whose verdict it is."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.insight.export import labelled_rows
from mollia_cli.loop.aggregate import fit_aggregator
from mollia_cli.loop.cascade import ask, check_order, stages_remark
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project
from mollia_cli.project.members import labelling
from mollia_cli.project.observe import members, observed_by_all, stack

MakeProject = Callable[..., Project]
SURE = 0.98  # of the made-up LLMs, on some items only


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    return make_project()


@pytest.fixture
def replay(project: Project, stored_outputs: Callable[[Project], Path]) -> str:
    return str(stored_outputs(project))


@pytest.fixture
def replaying(project: Project, replay: str) -> Project:
    return project.with_panel(labelling(project.settings, "replay", replay))


def accuracy(project: Project, found: Verdicts) -> float:
    return float(np.mean(found.labels == [item.label for item in project.store.items.get(found.ids)]))


def test_only_doubts_reach_the_next_llm(replaying: Project) -> None:
    ids = replaying.store.items.ids("pool")
    done = ask(replaying, ["b", "a"], SURE, ids)
    first, second = done.stages
    assert (first.name, second.name) == ("b", "a")
    assert first.asked == 40 > second.asked > 0
    assert first.settled == 40 - second.asked
    assert stages_remark(done) == f"asked b of 40 items, a of {second.asked}; confident of the others"

    both = members(replaying)
    by_name = {member.name: member for member in both}
    assert len(observed_by_all(replaying, [by_name["a"]], ids)) == second.asked
    assert len(observed_by_all(replaying, both, replaying.store.items.ids("seed"))) == 18
    assert set(done.verdicts.ids) == set(ids)
    assert accuracy(replaying, done.verdicts) > 0.7


def test_a_verdict_is_the_aggregators_of_those_who_read_the_item(replaying: Project) -> None:
    ids = replaying.store.items.ids("pool")
    done = ask(replaying, ["b", "a"], SURE, ids)
    panel = check_order(replaying, ["b", "a"])
    read_by_both = observed_by_all(replaying, panel, ids)
    for part, read in ((panel[:1], [i for i in ids if i not in read_by_both]), (panel, read_by_both)):
        fitted = fit_aggregator(replaying, "", part, ids if len(part) == 1 else read_by_both)
        expected = fitted.predict_proba(stack(replaying, part, read))
        np.testing.assert_allclose(done.verdicts.of(read).probabilities, expected)


@pytest.mark.parametrize(("threshold", "asked"), [(0.001, 0), (0.9999, 40)])
def test_the_extremes(replaying: Project, threshold: float, asked: int) -> None:
    assert ask(replaying, ["a", "b"], threshold, replaying.store.items.ids("pool")).stages[1].asked == asked


def test_again_nobody_is_asked(replaying: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = replaying.store.items.ids("pool")
    done = ask(replaying, ["a", "b"], SURE, ids)
    from mollia_cli.annotators.replay import ReplayAnnotator

    monkeypatch.setattr(ReplayAnnotator, "annotate", lambda *_: pytest.fail("asked again"))
    again = ask(replaying, ["a", "b"], SURE, ids)
    assert (again.fit, again.stages) == (done.fit, done.stages)


def test_names_that_make_no_cascade(project: Project, replaying: Project, replay: str) -> None:
    for order in (["a"], ["a", "a"], ["a", "nobody"]):
        with pytest.raises(InputError):
            check_order(replaying, order)
    with pytest.raises(InputError, match="nobody"):
        open_run(project, "s", replay=replay, cascade=["a", "nobody"])
    assert not project.store.runs.names()


def test_a_run_asks_in_cascade(project: Project, replay: str) -> None:
    said: list[str] = []
    project.say = said.append
    run, setup = open_run(project, replay=replay, cascade=["b", "a"], threshold=SURE, strategy="random", rounds=1)
    done = run_rounds(project, run, setup, 1)
    assert done[-1].fit is not None
    assert any(remark.startswith("run main round 1: asked b of ") for remark in said)
    chosen = {selection.item_id for selection in project.store.runs.selections(run)}
    assert chosen <= set(project.store.verdicts.get(done[-1].fit, list(chosen)).ids)
    assert {row["source"] for row in labelled_rows(project)} == {"gold", "conditional_logit+cascade"}
    open_run(project, cascade=["b", "a"])
    with pytest.raises(InputError, match="cascade"):
        open_run(project, cascade=["a", "b"])


def test_on_the_command_line(observed: Project, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["-p", str(observed.root), "--cascade", "cyd,ada", "--threshold", "0.7"]
    app(["annotate", *command, "--split", "pool", "--limit", "30", "--json"], standalone_mode=False)
    printed = capsys.readouterr()
    assert "asked cyd of 30 items, ada of " in printed.err
    assert {json.loads(line)["model"] for line in printed.out.splitlines()} == {"cyd", "ada"}
    app(["aggregate", *command, "--json"], standalone_mode=False)
    printed = capsys.readouterr()
    assert len([json.loads(line) for line in printed.out.splitlines()]) == 200
    assert "200 verdicts by conditional_logit+cascade; asked cyd of 200 items" in printed.err
    with pytest.raises(InputError, match="--cascade and --target-precision exclude each other"):
        app(["aggregate", *command, "--target-precision", "0.9"], standalone_mode=False)
