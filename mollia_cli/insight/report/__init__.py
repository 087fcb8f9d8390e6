"""``mollia report``: everything known of a project, section by section; the renderers are in ``reports``."""

import datetime
from collections.abc import Callable
from typing import TypeVar

from mollia_cli import __version__
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.progress import step
from mollia_cli.domain.report import Curve, Missing, Overview, Report
from mollia_cli.insight.compare import compare
from mollia_cli.insight.corrections import corrections
from mollia_cli.insight.report.cards import data_card, model_card
from mollia_cli.insight.report.cost import cost
from mollia_cli.insight.report.examples import examples
from mollia_cli.insight.report.labels_alone import measured_alone, what_llms_add
from mollia_cli.insight.report.measurements import classifier_on_test, verdicts_on_pool, verdicts_on_seeds
from mollia_cli.insight.report.missing import or_missing
from mollia_cli.insight.report.panel import panel_quality, panel_report
from mollia_cli.insight.report.provenance import provenance
from mollia_cli.insight.report.subject import (
    as_recorded,
    finished,
    reported_run,
    run_panel,
)
from mollia_cli.insight.status import next_step, status
from mollia_cli.project.context import Project
from mollia_cli.project.learner import run_config
from mollia_cli.project.observe import Member

T = TypeVar("T")
__all__ = ["panel_report", "report"]
_SLOW_PARTS = 6


def report(project: Project, name: str = "", texts: bool = True) -> Report:
    """The report on a run (see ``reported_run``) of the project, whatever stage it is at.

    Everything is worked out by the settings that the run has recorded, and not by what they have become.
    Asks no LLM; the best classifier reads the test items once more. Without ``texts`` no text of an
    item is in it. Raises NotFoundError for a run that does not exist.
    """
    run = reported_run(project, name)
    next_to_type = next_step(status(project))
    project = as_recorded(project, run)
    aggregator = run_config(project, run).aggregator
    panel = or_missing(lambda: run_panel(project, run))

    parts = iter(range(_SLOW_PARTS))

    def of_project(what: str, gather: Callable[[], T]) -> T | Missing:
        """A part that takes its time, because it asks or fits classifiers or aggregators."""
        project.progress("report (parts)", next(parts), _SLOW_PARTS)
        with step(project.progress, what):
            return or_missing(gather)

    def of_panel(what: str, gather: Callable[[tuple[Member, ...]], T]) -> T | Missing:
        """What is gathered of the panel, where there is one."""
        return of_project(what, lambda: gather(panel)) if not isinstance(panel, Missing) else panel

    test = of_project("the classifier on the test items", lambda: classifier_on_test(project, run))
    found = Report(
        overview=_overview(project, run, aggregator, next_to_type),
        curves=or_missing(lambda: _curves(project)),
        panel=of_panel("the panel's quality", lambda members: panel_quality(project, members, aggregator)),
        measurements=(
            of_panel("the verdicts on the seeds", lambda members: verdicts_on_seeds(project, members, aggregator)),
            or_missing(lambda: verdicts_on_pool(project, run)),
            test if isinstance(test, Missing) else test[0],
        ),
        labels_alone=of_project("the labels alone", lambda: measured_alone(project, not isinstance(test, Missing))),
        llms_add=of_panel("what the LLMs add", lambda members: what_llms_add(project, members, aggregator)),
        examples=of_project("examples", lambda: examples(project, run, texts)),
        cost=or_missing(lambda: cost(project, run)),
        provenance=provenance(project, run),
        data=or_missing(lambda: data_card(project, run)),
        model=or_missing(lambda: model_card(project, run)),
    )
    project.progress("report (parts)", _SLOW_PARTS, _SLOW_PARTS)
    return found


def _overview(project: Project, run: str, aggregator: str, next_to_type: str) -> Overview:
    settings, config = project.settings, project.store.runs.config(run)
    return Overview(
        project=project.root.name,
        version=__version__,
        made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        noun=settings.noun,
        task=settings.task_sentence,
        labels=settings.labels.names,
        descriptions=settings.labels.descriptions,
        run=run,
        method=config.method if config else "",
        strategy=config.strategy if config else "",
        aggregator=aggregator,
        annotator=config.annotator if config else "",
        rounds=len(finished(project, run)),
        people=corrections(project),
        next_step=next_to_type,
    )


def _curves(project: Project) -> tuple[Curve, ...]:
    drawn = tuple(curve for curve in compare(project) if curve.points)
    if not drawn:
        raise NotFoundError("no classifier has been measured yet", "mollia run --rounds 10")
    return drawn
