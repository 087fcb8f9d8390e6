"""``mollia runs``: which runs a project has, and taking one out of it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.project.context import Project
from mollia_cli.project.learner import current_run, kept_outputs, run_config


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run: what it is, how many rounds are finished, items labelled in the last of them, when and why it ended.

    opened: UTC, ISO 8601. current: it is the one that commands without --run use. stopped: why it ended before its
    number of rounds, or "".
    """

    run: str
    current: bool
    rounds: int
    labelled: int
    strategy: str
    aggregator: str
    annotator: str
    opened: str
    stopped: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """What goes, or has gone, with a run: rows by table, and the folder of its classifiers within the project."""

    run: str
    rows: dict[str, int]
    folder: str | None


def list_runs(project: Project) -> list[RunRow]:
    """Every run, the one used last first."""
    current = current_run(project)
    return [_row(project, name, name == current) for name in project.store.runs.names()]


def _row(project: Project, name: str, current: bool) -> RunRow:
    runs = project.store.runs
    config = run_config(project, name)
    finished = [record for record in runs.rounds(name) if record.metrics is not None]
    return RunRow(
        run=name,
        current=current,
        rounds=len(finished),
        labelled=(finished[-1].metrics or {}).get("labelled", 0) if finished else 0,
        strategy=config.strategy,
        aggregator=config.aggregator,
        annotator=config.annotator,
        opened=runs.opened(name),
        stopped=runs.stopped(name),
    )


def deletion(project: Project, run: str) -> Deletion:
    """What ``delete_run`` would delete. Raises NotFoundError for a run that does not exist."""
    if project.store.runs.config(run) is None:
        known = ", ".join(project.store.runs.names()) or "none yet"
        raise NotFoundError(f"there is no run {run!r}", f"runs: {known}")
    folder = folder_of(project, run)
    kept_in = None if folder is None else str(folder.relative_to(project.root))
    return Deletion(run, project.store.runs.rows_of(run), kept_in)


def delete_run(project: Project, run: str) -> Deletion:
    """Delete a run with its rounds, selections and classifiers; observations, verdicts and labels stay.

    Fits stay, too: the journal, exported files and other runs may cite them. Raises NotFoundError for a run that
    does not exist, RefusedError while another process makes rounds of it.
    """
    with project.hold(run):
        gone = deletion(project, run)
        project.store.runs.delete(run)
        if gone.folder is not None:  # after the rows: a killed process leaves no round without its classifier
            shutil.rmtree(project.root / gone.folder)
            shutil.rmtree(kept_outputs(project, run), ignore_errors=True)
    return gone


def folder_of(project: Project, run: str) -> Path | None:
    """The folder of a run's classifiers, if there is one; never one outside of the project's models folder."""
    folder = project.models_folder / run
    return folder if folder.is_dir() and folder.resolve().parent == project.models_folder.resolve() else None
