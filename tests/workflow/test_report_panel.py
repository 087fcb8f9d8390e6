"""The panel report of a project."""

import json
from dataclasses import asdict, replace

import pytest

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.report import Measurement, Missing
from mollia_cli.workflow import annotate as annotation
from mollia_cli.workflow.aggregate import fit_aggregator
from mollia_cli.workflow.project import Project
from mollia_cli.workflow.report import panel_report


def test_the_panel_is_reported(observed: Project) -> None:
    quality, _, _ = panel_report(observed)
    json.dumps(asdict(quality), allow_nan=False)
    assert [llm.annotator for llm in quality.llms] == ["ada", "bob", "cyd"]
    for llm in quality.llms:
        assert (llm.items, llm.observed, llm.tokens, llm.seconds) == (60, 260, 9 * 260, None)
        assert llm.lower < llm.accuracy < llm.upper  # type: ignore[operator]
        assert llm.coverage == 1.0
    assert quality.agreement.items == 260
    assert 0.05 < (quality.agreement.krippendorff_alpha or 0.0) < 0.6
    kappa = quality.agreement.cohen_kappa
    assert [kappa[i][i] for i in range(3)] == [1.0, 1.0, 1.0] and kappa[0][1] == kappa[1][0] != 1.0


def test_every_llm_adds_something_to_equals(observed: Project) -> None:
    quality, _, _ = panel_report(observed)
    assert sum(llm.value or 0.0 for llm in quality.llms) > 0


def test_the_aggregator_is_reported_as_it_was_calibrated(observed: Project) -> None:
    pool = observed.store.items.ids("pool")
    known = fit_aggregator(observed, also=pool).calibration
    _, found, _ = panel_report(observed)
    assert known is not None and isinstance(found, Measurement)
    assert (found.who, found.items, found.ece, found.ece_before) == ("conditional_logit", 60, known.ece, known.raw_ece)
    assert found.accuracy == known.right.mean()
    assert sum(b.n for b in found.reliability) == 60
    # the matrix is of the same cross-fitting as the confidence
    assert sum(found.counts[k][k] for k in range(4)) == known.right.sum()


def test_an_aggregator_that_learns_nothing_is_measured_as_it_is(observed: Project) -> None:
    settings = observed.settings
    observed.settings = replace(settings, aggregate=replace(settings.aggregate, aggregator="vote"))
    quality, found, _ = panel_report(observed)
    assert isinstance(found, Measurement)
    assert (found.who, found.items, found.ece_before, found.temperature) == ("vote", 60, None, None)
    assert all(llm.value is not None for llm in quality.llms)


def test_a_panel_of_one(observed: Project) -> None:
    settings = observed.settings
    observed.settings = replace(settings, panel=replace(settings.panel, models=settings.panel.models[:1]))
    (llm,) = panel_report(observed)[0].llms
    assert llm.value is None


def test_without_true_labels_form_and_agreement_are_known(observed: Project) -> None:
    observed.store._db.execute("UPDATE items SET label = NULL")
    quality, found, _ = panel_report(observed)
    assert isinstance(found, Missing)
    for llm in quality.llms:
        assert (llm.accuracy, llm.lower, llm.upper, llm.ece, llm.value) == (None,) * 5
        assert (llm.items, llm.coverage) == (200, 1.0)
    assert quality.agreement.items == 200


def test_a_panel_that_has_read_nothing(observed: Project) -> None:
    observed.store._db.execute("DELETE FROM observations")
    with pytest.raises(NotFoundError, match="no item was annotated"):
        panel_report(observed)


def test_annotating_records_its_seconds(make_project: object) -> None:
    project = make_project()  # type: ignore[operator]
    annotation.annotate(project, project.store.items.ids("pool")[:3])
    (row,) = project.store.observations.summary()
    assert row["items"] == 3 and row["seconds"] > 0
