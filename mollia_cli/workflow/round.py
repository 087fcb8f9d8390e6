"""``mollia round``: select, annotate, aggregate, train, evaluate; every step is stored when it is done."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mollia_cli.domain.errors import InputError, MolliaError
from mollia_cli.domain.items import Item
from mollia_cli.domain.metrics import micro_f1
from mollia_cli.domain.verdicts import Verdict
from mollia_cli.store.runs import Round, Selection
from mollia_cli.workflow.aggregate import conclude, fit_aggregator
from mollia_cli.workflow.annotate import annotate, models_kept, needed_for_fit
from mollia_cli.workflow.learner import current_run, trained_learner
from mollia_cli.workflow.project import Project
from mollia_cli.workflow.select import select
from mollia_cli.workflow.train import Labelled, Stopwatch, evaluate, keep_model, train_learner

PANEL = "panel"
ORACLE = "oracle"
SOURCES = (PANEL, ORACLE)


@dataclass(frozen=True, slots=True)
class RunSetup:
    """What a run is: fixed at its first round, so that its rounds can be compared."""

    strategy: str
    aggregator: str
    annotator: str
    batch: int
    rounds: int
    alpha: float
    lambda_start: float
    lambda_end: float


def open_run(project: Project, name: str = "", **changes: Any) -> tuple[str, RunSetup]:
    """The run's name and setup, created at its first use from the settings and ``changes``.

    A change (None = no change) that contradicts a run which has rounds raises InputError.
    """
    run = current_run(project, name)
    stored = project.store.runs.settings(run)
    wanted = {key: value for key, value in changes.items() if value is not None}
    if stored is None:
        settings = project.settings
        base: dict[str, Any] = asdict(settings.run)
        base |= {"aggregator": settings.aggregate.aggregator, "annotator": PANEL}
        stored = base | wanted
    else:
        for key, value in wanted.items():
            if stored[key] != value and key != "rounds":
                raise InputError(
                    f"run {run!r} was started with {key} {stored[key]!r}, not {value!r}",
                    f"start another one: mollia run --name NEW --{key.replace('_', '-')} {value}",
                )
        stored |= {"rounds": max(stored["rounds"], wanted.get("rounds", 0))}
    if stored["annotator"] not in SOURCES:
        raise InputError(f"no annotator source is called {stored['annotator']!r}", f"known: {', '.join(SOURCES)}")
    setup = RunSetup(**stored)
    with project.store.guarded():
        project.store.runs.put(run, asdict(setup))
    return run, setup


def advance(project: Project, run: str, setup: RunSetup) -> Round | None:
    """One round of a run: finish the one that was left unfinished, else make the next; None when the pool is used up.

    Round 0 trains on the seed set alone.
    """
    rounds = project.store.runs.rounds(run)
    if rounds and rounds[-1].metrics is None:
        number = rounds[-1].number
    else:
        number = len(rounds)
        if not _start(project, run, setup, number):
            return None
    return finish_round(project, run, setup, number)


def _start(project: Project, run: str, setup: RunSetup, number: int) -> bool:
    watch = Stopwatch()
    picks: list[tuple[str, float, int | None]] = []
    if number > 0:
        choice = select(project, setup.strategy, setup.batch, run, opinions=True)
        if not choice.picks:
            project.say(f"run {run}: every pool item has been selected")
            return False
        picks = [(pick.id, pick.score, said) for pick, said in zip(choice.picks, choice.opinions, strict=True)]
    with project.store.guarded():
        project.store.runs.start_round(run, number, picks, watch.lap())
    return True


def finish_round(project: Project, run: str, setup: RunSetup, number: int) -> Round:
    """Everything after the selection, skipping what is stored already."""
    seed = [item for item in project.store.items.in_split("seed") if item.label is not None]
    if not seed:
        raise InputError("the project has no seed labels to start from", "mollia import seed.csv --as seed")
    selections = project.store.runs.selections(run)
    project.store.runs.rounds(run)[number]
    metrics: dict[str, Any] = {}
    verdicts: dict[str, Verdict] | None = None
    if setup.annotator == PANEL:
        fit, verdicts = _label(project, run, setup, number, selections) if selections else (None, {})
        with project.store.guarded():
            project.store.runs.update_round(run, number, fit=fit)
        metrics |= _verdict_quality(project, selections, verdicts)
    watch = Stopwatch()
    learner, training = train_learner(project, Labelled(seed, selections, verdicts), run, number, asdict(setup))
    _record(project, run, number, "train", watch)
    model = keep_model(project, learner, run, number)
    scores = evaluate(project, learner)
    _record(project, run, number, "evaluate", watch)
    metrics |= {"selected": sum(s.round == number for s in selections), **training, **scores}
    with project.store.guarded():
        project.store.runs.update_round(run, number, model=model, metrics=metrics)
    return project.store.runs.rounds(run)[number]


def _label(
    project: Project, run: str, setup: RunSetup, number: int, selections: Sequence[Selection]
) -> tuple[int, dict[str, Verdict]]:
    """Annotate what is missing, fit, and conclude on everything that the run has selected."""
    watch = Stopwatch()
    ids = [selection.item_id for selection in selections]
    panel = annotate(project, list(dict.fromkeys([*needed_for_fit(project), *ids])))
    _record(project, run, number, "annotate", watch)
    fitted = fit_aggregator(project, setup.aggregator, panel, ids)
    verdicts = {verdict.item_id: verdict for verdict in conclude(project, fitted, ids)}
    _record(project, run, number, "aggregate", watch)
    return fitted.fit.id, verdicts


def _verdict_quality(
    project: Project, selections: Sequence[Selection], verdicts: dict[str, Verdict]
) -> dict[str, float]:
    """How often the verdicts on the selected items are right, where their true labels happen to be known."""
    items: list[Item] = project.store.items.get([selection.item_id for selection in selections])
    known = [item for item in items if item.label is not None]
    if not known:
        return {}

    gold = np.array([item.label for item in known])
    return {"verdict_accuracy": micro_f1(gold, np.array([verdicts[item.id].label for item in known]))}


def _record(project: Project, run: str, number: int, step: str, watch: Stopwatch) -> None:
    with project.store.guarded():
        project.store.runs.update_round(run, number, seconds={step: watch.lap()})


def train_now(project: Project, name: str = "") -> Round:
    """``mollia train``, the step by step way: a round from every verdict of the last aggregation.

    Items with a verdict that the run has not trained on yet become the round's selection; a run's
    first round without any verdict trains on the seed set alone.
    """
    run, setup = open_run(project, name)
    rounds = project.store.runs.rounds(run)
    if rounds and rounds[-1].metrics is None:
        return finish_round(project, run, setup, rounds[-1].number)
    taken = {selection.item_id for selection in project.store.runs.selections(run)}
    fit = project.store.verdicts.latest_fit()
    pool = project.store.items.ids("pool")
    verdicts = project.store.verdicts.get(fit.id, pool) if fit is not None else {}
    fresh = [item_id for item_id in pool if item_id in verdicts and item_id not in taken]
    if rounds and not fresh:
        raise MolliaError(
            f"run {run!r} has trained on every item that has a verdict",
            "select, annotate and aggregate more items first, or use `mollia round`",
        )
    opinions: list[int | None] = [None] * len(fresh)
    if rounds and fresh:
        texts = [item.text for item in project.store.items.get(fresh)]
        opinions = [int(k) for k in trained_learner(project, rounds[-1]).predict_proba(texts).argmax(axis=1)]
    picks = [(item_id, 0.0, said) for item_id, said in zip(fresh, opinions, strict=True)]
    with project.store.guarded():
        project.store.runs.start_round(run, len(rounds), picks, 0.0)
    return finish_round(project, run, setup, len(rounds))


def run_rounds(
    project: Project, run: str, setup: RunSetup, until: int, done: Callable[[Round], None] = lambda record: None
) -> list[Round]:
    """Advance until round ``until`` is finished or the pool is used up; ``done`` hears of every round."""
    with models_kept(project):
        while True:
            rounds = project.store.runs.rounds(run)
            finished = [record for record in rounds if record.metrics is not None]
            if finished and finished[-1].number >= until:
                return finished
            record = advance(project, run, setup)
            if record is None:
                return finished
            done(record)
