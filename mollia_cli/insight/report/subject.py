"""What a report is about: one run, the panel that labelled for it, and its verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.loop.setup import as_opened
from mollia_cli.project.context import Project
from mollia_cli.project.learner import best_round, finished_rounds
from mollia_cli.project.members import certain
from mollia_cli.project.observe import Member, members
from mollia_cli.project.panel import labelled_by, observing
from mollia_cli.project.record import recorded_settings
from mollia_cli.store.runs import Round
from mollia_cli.store.verdicts import Fit


@dataclass(frozen=True, slots=True)
class RunVerdicts:
    """The fit, the n items with its verdicts, their labels and confidences [n].

    ``predictions``: item id -> the label that the previous round's classifier predicted.
    """

    fit: Fit
    ids: Sequence[str]
    labels: IntArray
    confidence: FloatArray
    predictions: Mapping[str, int]


def reported_run(project: Project, name: str = "") -> str:
    """The run that is named, else the one used last that learns from LLMs, else the one used last; '' for none.

    Raises NotFoundError for an unknown run.
    """
    names = project.store.runs.names()
    if name and name not in names:
        known = ", ".join(sorted(names)) or "none yet"
        raise NotFoundError(f"there is no run {name!r}", f"runs: {known}; start one with `mollia run --run NAME`")
    own = [run for run in names if not certain(labelled_by(project, run).panel)]
    return name or next(iter([*own, *names]), "")


def as_recorded(project: Project, run: str) -> Project:
    """The project as the run saw it, by its record and its setup; as it is where there is no record."""
    record, config = project.store.runs.record(run), project.store.runs.config(run)
    if record is None or config is None:
        return project
    settings = recorded_settings(record)
    if settings.labels.names != project.labels.names:  # the present ones are what stored rows are read by
        settings = replace(settings, labels=project.labels)
    return as_opened(project.seen_by_run(settings, config.repeat), config)


def finished(project: Project, run: str) -> list[Round]:
    """The run's finished rounds."""
    return [record for record in project.store.runs.rounds(run) if record.metrics is not None]


def classifier_round(project: Project, run: str) -> Round:
    """The run's best trained classifier; NotFoundError where there is none."""
    if not finished_rounds(project, run):
        raise NotFoundError("no classifier has been trained yet", "mollia run --rounds 10")
    return best_round(project, run)


def run_fit(project: Project, run: str) -> Fit | None:
    """The fit of the run's last verdicts, else of the last aggregation; None where there are no verdicts."""
    fits = [record.fit for record in project.store.runs.rounds(run) if record.fit is not None]
    return project.store.verdicts.fit(fits[-1]) if fits else project.store.verdicts.latest_fit()


def run_panel(project: Project, run: str) -> tuple[Member, ...]:
    """The panel behind the run's verdicts, whose files need not be here; before any verdict, the one it will ask."""
    fit = run_fit(project, run)
    return fit_panel(project, fit) if fit is not None else tuple(members(observing(labelled_by(project, run))))


def fit_panel(project: Project, fit: Fit) -> tuple[Member, ...]:
    """The members whose observations a fit was made from."""
    names = {row["key"]: row["name"] for row in project.store.observations.summary()}
    return tuple(Member(names[key], key) for key in fit.panel)


def run_verdicts(project: Project, run: str) -> RunVerdicts:
    """The run's last verdicts on what it selected, else the last aggregation's on the pool.

    Raises NotFoundError where there are none.
    """
    fit = run_fit(project, run)
    selections = project.store.runs.selections(run)
    ids = [s.item_id for s in selections] or project.store.items.ids("pool")
    none_yet = NotFoundError("there are no verdicts yet", "mollia run --rounds 10")
    if fit is None:
        raise none_yet
    found, labels, confidence = project.store.verdicts.answers(fit.id, ids)
    if not found:
        raise none_yet
    predictions = {s.item_id: s.opinion for s in selections if s.opinion is not None}
    return RunVerdicts(fit, found, labels, confidence, predictions)
