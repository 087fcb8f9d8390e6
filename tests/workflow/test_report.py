"""The panel report of a project."""

import json
from dataclasses import replace

from mollia_cli.workflow import annotate as annotation
from mollia_cli.workflow.aggregate import fit_aggregator
from mollia_cli.workflow.project import Project
from mollia_cli.workflow.report import panel_report


def test_the_panel_is_reported(observed: Project) -> None:
    report = json.loads(json.dumps(panel_report(observed), allow_nan=False))
    assert [llm["annotator"] for llm in report["llms"]] == ["ada", "bob", "cyd"]
    for llm in report["llms"]:
        assert (llm["items"], llm["observed"], llm["tokens"], llm["seconds"]) == (60, 260, 9 * 260, None)
        assert llm["lower"] < llm["accuracy"] < llm["upper"]
        assert llm["coverage"] == 1.0
    assert report["agreement"]["items"] == 260
    assert 0.05 < report["agreement"]["krippendorff_alpha"] < 0.6
    kappa = report["agreement"]["cohen_kappa"]
    assert [kappa[i][i] for i in range(3)] == [1.0, 1.0, 1.0] and kappa[0][1] == kappa[1][0] < 1.0


def test_every_llm_adds_something_to_equals(observed: Project) -> None:
    report = panel_report(observed)
    assert sum(llm["value"] for llm in report["llms"]) > 0


def test_the_aggregator_is_reported_as_it_was_calibrated(observed: Project) -> None:
    known = fit_aggregator(observed).calibration
    found = panel_report(observed)["aggregator"]
    assert known is not None
    assert (found["name"], found["items"], found["ece"]) == ("conditional_logit", 60, known.ece)
    assert found["accuracy"] == known.right.mean()
    assert sum(b["n"] for b in found["reliability"]) == 60


def test_an_aggregator_that_learns_nothing(observed: Project) -> None:
    settings = observed.settings
    observed.settings = replace(settings, aggregate=replace(settings.aggregate, aggregator="vote"))
    report = panel_report(observed)
    assert report["aggregator"] == {"name": "vote", "items": 0, "reliability": []}
    assert all(llm["value"] is not None for llm in report["llms"])


def test_a_panel_of_one(observed: Project) -> None:
    settings = observed.settings
    observed.settings = replace(settings, panel=replace(settings.panel, models=settings.panel.models[:1]))
    (llm,) = panel_report(observed)["llms"]
    assert llm["value"] is None


def test_annotating_records_its_seconds(make_project: object) -> None:
    project = make_project()  # type: ignore[operator]
    annotation.annotate(project, project.store.items.ids("pool")[:3])
    (row,) = project.store.observations.summary()
    assert row["items"] == 3 and row["seconds"] > 0
