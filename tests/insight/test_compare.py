"""Runs beside each other, and their repeats."""

from collections.abc import Callable

import pytest

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.insight.compare import compare
from mollia_cli.loop.run import run_repeats
from mollia_cli.project.context import Project
from mollia_cli.project.learner import current_run

MakeProject = Callable[..., Project]
ORACLE = {"annotator": "oracle", "batch": 4, "rounds": 1}


def test_repeats_differ_in_chance_alone_and_make_one_curve(make_project: MakeProject) -> None:
    project = make_project()
    done = run_repeats(project, "a", 2, **ORACLE, strategy="random")
    assert list(done) == ["a", "a.2"]
    assert [finished.stopped for finished in done.values()] == ["", ""]
    assert current_run(project) == "a"
    first, second = ({s.item_id for s in project.store.runs.selections(run)} for run in done)
    assert first != second
    # another run's first repeat shares its random streams
    run_repeats(project, "b", 1, **ORACLE, strategy="random")
    assert {s.item_id for s in project.store.runs.selections("b")} == first

    a, b = compare(project)
    assert (a.name, a.repeats, b.name, b.repeats) == ("a", 2, "b", 1)
    assert a.metric == "test_micro_f1"
    assert [point.labelled for point in a.points] == [18, 22]
    values = [(finished.rounds[1].metrics or {})["test_micro_f1"] for finished in done.values()]
    assert sorted(a.points[1].values) == sorted(values)
    assert a.points[1].mean == pytest.approx(sum(values) / 2)
    assert a.points[1].std == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert a.points[1].verdicts == 1.0
    assert b.points[1].std is None and (a.items, b.items) == (12, 12)
    assert [curve.name for curve in compare(project, ["b", "a.2"])] == ["b", "a.2"]

    # the same command again has nothing left to do; more rounds go on from there
    assert run_repeats(project, "a", 2, **ORACLE, strategy="random") == done


def test_what_cannot_be_compared_or_repeated(make_project: MakeProject) -> None:
    project = make_project()
    with pytest.raises(NotFoundError, match="'x'"):
        compare(project, ["x"])
    assert compare(project) == []
    with pytest.raises(InputError):
        run_repeats(project, "a", 0)
