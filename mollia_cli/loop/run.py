"""``mollia run``: rounds of one run, and its repeats with other random streams."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count
from mollia_cli.domain.settings import RunConfig
from mollia_cli.loop.answers import labels_learned, new_labels
from mollia_cli.loop.round import advance
from mollia_cli.loop.setup import check_panel, open_run
from mollia_cli.loop.stop import stop_reason
from mollia_cli.project.context import Project
from mollia_cli.project.observe import models_kept
from mollia_cli.store.runs import Round

Told = Callable[[Round], None]


@dataclass(frozen=True, slots=True)
class Finished:
    """A run's finished rounds, and why it ended; "" where it has all its rounds, or has used up the pool."""

    rounds: list[Round]
    stopped: str


def run_rounds(
    project: Project, run: str, setup: RunConfig, until: int, done: Told = lambda record: None
) -> list[Round]:
    """Advance until round ``until`` is finished, the pool is used up or the run's criterion is met.

    A run that has come there and does not know all labels that people have given makes a round more, which selects
    nothing. ``done`` hears of every round. A panel that cannot be asked here is refused before the first training.
    """
    with project.hold(run), models_kept(project):
        while True:
            rounds = project.store.runs.rounds(run)
            finished = [record for record in rounds if record.metrics is not None]
            between = bool(finished) and len(finished) == len(rounds)
            ended = between and bool(stop_reason(project, run, setup, finished) or finished[-1].number >= until)
            if not rounds and until:
                check_panel(project, setup)
            record = None if ended else advance(project, run, setup)
            if record is None:
                if not new_labels(project, finished[-1]):
                    return finished
                _say_new_labels(project, run, finished[-1])
                record = advance(project, run, setup, selects=False)
                assert record is not None
            done(record)


def run_repeats(
    project: Project, name: str, repeats: int, done: Told = lambda record: None, **changes: Any
) -> dict[str, Finished]:
    """The run and ``repeats - 1`` others that differ in their random streams alone, by name.

    They share the labelled items and every observation; each selects, draws its unlabelled sample, fits and trains
    by streams of its own. The second is called NAME.2, and so on; NAME stays the current run.
    """
    if repeats < 1:
        raise InputError(f"cannot repeat a run {count(repeats, 'time')}", "give a number of 1 or more: --repeats 5")
    first, setup = open_run(project, name, **changes)
    finished = {}
    for repeat in range(1, repeats + 1):
        run, own = first, setup
        if repeat > 1:
            run, own = open_run(project, repeat_name(first, repeat), **vars(replace(setup, repeat=repeat)))
            project.store.runs.put(first, setup)
        rounds = run_rounds(project, run, own, changes.get("rounds") or setup.rounds, done)
        finished[run] = Finished(rounds, project.store.runs.stopped(run))
    return finished


def _say_new_labels(project: Project, run: str, last: Round) -> None:
    now, then = labels_learned(project)["gold"], (last.metrics or {})["gold"]
    project.say(
        f"run {run}: labels have changed since round {last.number} ({now} now, {then} then);"
        f" round {last.number + 1} learns from them"
    )


def repeat_name(run: str, repeat: int) -> str:
    """The name of a run's repeat; the first is the run itself."""
    return run if repeat == 1 else f"{run}.{repeat}"
