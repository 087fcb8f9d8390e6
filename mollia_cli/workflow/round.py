"""``mollia round``: select, annotate, aggregate, train, evaluate; every step is stored when it is done."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mollia_cli.domain.errors import InputError, MolliaError
from mollia_cli.domain.items import Item
from mollia_cli.domain.metrics import micro_f1
from mollia_cli.domain.verdicts import Verdict
from mollia_cli.store.runs import Round, Selection
from mollia_cli.store.verdicts import Fit
from mollia_cli.workflow.aggregate import conclude, fit_aggregator
from mollia_cli.workflow.annotate import annotate, needed_for_fit
from mollia_cli.workflow.cascade import ask, stages_said, with_sample
from mollia_cli.workflow.human import ask_person
from mollia_cli.workflow.project import Project
from mollia_cli.workflow.refine import refined_verdicts
from mollia_cli.workflow.select import opinions, select
from mollia_cli.workflow.setup import HUMAN, ORACLE, REFINED, RunSetup, open_run
from mollia_cli.workflow.train import (
    Labelled,
    Stopwatch,
    certain_verdicts,
    evaluate,
    gold_labels,
    keep_model,
    train_learner,
)


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
        chosen = select(project, setup.strategy, setup.batch, run, setup.pool_sample)
        if not chosen:
            project.say(f"run {run}: every pool item has been selected")
            return False
        said = opinions(project, run, [pick.id for pick in chosen])
        picks = [(pick.id, pick.score, label) for pick, label in zip(chosen, said, strict=True)]
    with project.store.guarded():
        project.store.runs.start_round(run, number, picks, watch.lap())
    return True


def finish_round(project: Project, run: str, setup: RunSetup, number: int) -> Round:
    """Everything after the selection, skipping what is stored already."""
    seed = project.store.items.in_split("seed", labelled=True)
    if not seed:
        raise InputError("the project has no seed labels to start from", "mollia import seed.csv --as seed")
    selections = project.store.runs.selections(run)
    verdicts = _label(project, run, setup, number, selections) if selections else {}
    metrics: dict[str, Any] = _verdict_quality(project, selections, verdicts)
    watch = Stopwatch()
    trusted = setup.annotator in (HUMAN, ORACLE)
    learner, training = train_learner(project, Labelled(seed, selections, verdicts, trusted), number, asdict(setup))
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
) -> dict[str, Verdict]:
    """Verdicts on everything that the run has selected: annotate what is missing, fit, conclude.

    People and true labels are verdicts of their own; refined ones come with those on unselected items.
    """
    watch = Stopwatch()
    ids = [selection.item_id for selection in selections]
    if setup.annotator in (HUMAN, ORACLE):
        items = project.store.items.get(ids)
        labels = ask_person(project, items) if setup.annotator == HUMAN else gold_labels(items)
        _record(project, run, number, "annotate", watch)
        return certain_verdicts(items, labels, len(project.labels))
    if setup.cascade:
        done = ask(project, setup.cascade, setup.sure, with_sample(project, ids), setup.aggregator)
        _record(project, run, number, "annotate", watch)
        project.say(f"run {run} round {number}: {stages_said(done)}")
        fit, verdicts = done.fit, {item_id: done.verdicts[item_id] for item_id in ids}
    else:
        fit, verdicts = _whole_panel(project, run, setup, number, ids)
    with project.store.guarded():
        project.store.runs.update_round(run, number, fit=fit.id)
    return verdicts


def _whole_panel(
    project: Project, run: str, setup: RunSetup, number: int, ids: Sequence[str]
) -> tuple[Fit, dict[str, Verdict]]:
    """The fit and its verdicts, with every LLM asked of every item."""
    watch = Stopwatch()
    panel = annotate(project, list(dict.fromkeys([*needed_for_fit(project), *ids])))
    _record(project, run, number, "annotate", watch)
    if setup.method == REFINED:
        fit, verdicts = refined_verdicts(project, setup.aggregator, panel, ids)
    else:
        fitted = fit_aggregator(project, setup.aggregator, panel, ids)
        fit, verdicts = fitted.fit, {verdict.item_id: verdict for verdict in conclude(project, fitted, ids)}
    _record(project, run, number, "aggregate", watch)
    return fit, verdicts


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
    picks = [(item_id, 0.0, said) for item_id, said in zip(fresh, opinions(project, run, fresh), strict=True)]
    with project.store.guarded():
        project.store.runs.start_round(run, len(rounds), picks, 0.0)
    return finish_round(project, run, setup, len(rounds))
