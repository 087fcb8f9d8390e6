"""``mollia round``: select, annotate, aggregate, train, evaluate; every step is stored when it is done."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mollia_cli.aggregators.quality import interval
from mollia_cli.domain.errors import InputError, MolliaError
from mollia_cli.domain.items import Item
from mollia_cli.domain.metrics import micro_f1
from mollia_cli.domain.printable import count
from mollia_cli.domain.settings import DISTIL, RunConfig
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.loop.aggregate import fit_aggregator, unread_verdicts, verdicts_on
from mollia_cli.loop.answers import labels_learned, new_labels, say_what_changed
from mollia_cli.loop.cascade import ask, stages_remark, with_sample
from mollia_cli.loop.needed import needed_for_fit, unlabelled_sample
from mollia_cli.loop.select import opinions, select
from mollia_cli.loop.setup import as_opened, open_run, settle_run
from mollia_cli.loop.train import Labelled, Stopwatch, evaluate, keep_model, train_learner
from mollia_cli.project.context import Project
from mollia_cli.project.labels import certain_verdicts, decided_verdicts, labelled_by_people
from mollia_cli.project.members import certain
from mollia_cli.project.observe import annotate, known_labels, observed_by_all
from mollia_cli.store.runs import Round, Selection
from mollia_cli.store.verdicts import Fit


def advance(project: Project, run: str, setup: RunConfig, selects: bool = True) -> Round | None:
    """One round of a run: finish the one that was left unfinished, else make the next; None when the pool is used up.

    Round 0 trains on the seed set alone. ``selects`` False: the next one selects nothing, and learns again from what
    is labelled and what was selected before.
    """
    with project.hold(run):
        rounds = project.store.runs.rounds(run)
        unfinished = bool(rounds) and rounds[-1].metrics is None
        number = rounds[-1].number if unfinished else len(rounds)
        reads = number > 0 and not (unfinished and rounds[-1].fit)  # round 0 asks no LLM, and need not wait for them
        watch = Stopwatch()
        chosen = reads and settle_run(project, run, setup)
        spent = watch.lap()
        if not unfinished and not start_round(project, run, setup, number, selects and number > 0):
            return None
        if chosen:
            project.store.runs.update_round(run, number, seconds={"examples": spent})
        record = finish_round(project, run, setup, number)
        if number:
            say_what_changed(project, rounds[number - 1], record)
        return record


def start_round(project: Project, run: str, setup: RunConfig, number: int, selects: bool) -> bool:
    """Record a new round with the items that it selects, if it does; False when the pool is used up."""
    project = as_opened(project, setup)
    watch = Stopwatch()
    picks: list[tuple[str, float, int | None]] = []
    if selects:
        chosen = select(project, setup.strategy, setup.batch, run, setup.pool_sample)
        if not chosen:
            project.say(f"run {run}: every pool item has been selected")
            return False
        predicted = opinions(project, run, [pick.id for pick in chosen])
        picks = [(pick.id, pick.score, label) for pick, label in zip(chosen, predicted, strict=True)]
    project.store.runs.start_round(run, number, picks, watch.lap())
    return True


def finish_round(project: Project, run: str, setup: RunConfig, number: int) -> Round:
    """Everything after the selection, skipping what is stored already.

    A round that cites a fit trains on the fit's stored verdicts. What people have labelled is gold, whether the run
    has selected it or not; what they ignore is left out.
    """
    project = as_opened(project, setup)
    seed = project.store.items.in_split("seed", labelled=True)
    if not seed:
        hint = "label some: mollia label --seed 50, or import them: mollia import seed.csv --split seed"
        raise InputError("the project has no seed labels to start from", hint)
    ignored = project.store.decisions.ignored()
    selections = [s for s in project.store.runs.selections(run) if s.item_id not in ignored]
    cited = project.store.runs.rounds(run)[number].fit
    if cited is not None:
        verdicts = _stored(project, setup, cited, selections)
        known = set(verdicts.ids)
        selections = [s for s in selections if s.item_id in known]
    elif selections:
        verdicts = _label(project, run, setup, number, selections)
    else:
        verdicts = Verdicts.none(len(project.labels))
    metrics: dict[str, Any] = _verdict_quality(project, selections, verdicts)
    watch = Stopwatch()
    if setup.method == DISTIL and (fit := project.store.runs.rounds(run)[number].fit) is not None:
        unread = unread_verdicts(project, fit)
        verdicts = verdicts.joined(unread)
        metrics["unread"] = len(unread)
    people, learned = labelled_by_people(project), labels_learned(project)
    labelled = _labelled([*seed, *people], selections, verdicts, cited is None and certain(project.panel))
    before = project.store.runs.rounds(run)[:number]
    lambda_before = (before[-1].metrics or {}).get("lambda") if before else None
    learner, training, memory = train_learner(project, labelled, number, setup, lambda_before)
    _record(project, run, number, "train", watch, memory)
    model = keep_model(project, learner, run, number)
    scores = evaluate(project, learner)
    _record(project, run, number, "evaluate", watch)
    metrics |= {"selected": sum(s.round == number for s in selections), **training, **scores}
    metrics |= {"people": len(people), **learned}
    metrics["of_rounds"] = setup.rounds  # lambda grows towards the last of them, and they may become more
    project.store.runs.update_round(run, number, model=model, metrics=metrics)
    return project.store.runs.rounds(run)[number]


def _labelled(gold: Sequence[Item], selections: Sequence[Selection], verdicts: Verdicts, trusted: bool) -> Labelled:
    """What the round trains on; an item of known label is gold and nothing else."""
    known = {item.id for item in gold}
    rest = [selection for selection in selections if selection.item_id not in known]
    return Labelled(gold, rest, verdicts.without(known), trusted)


def _label(project: Project, run: str, setup: RunConfig, number: int, selections: Sequence[Selection]) -> Verdicts:
    """Verdicts on everything that the run has selected: annotate what is missing, fit, aggregate.

    The labels of a member that knows them are verdicts; the method distil has them on all annotated items.
    What people have labelled already needs no verdict of the panel.
    """
    watch = Stopwatch()
    selected = [selection.item_id for selection in selections]
    if certain(project.panel):
        labels = known_labels(project, selected)
        _record(project, run, number, "annotate", watch)
        return certain_verdicts(project.store.items.get(selected), labels, len(project.labels))
    decided = decided_verdicts(project, selected)
    known = set(decided.ids)
    ids = [item_id for item_id in selected if item_id not in known]
    if setup.cascade:
        done = ask(project, setup.cascade, setup.threshold, with_sample(project, ids), setup.aggregator)
        _record(project, run, number, "annotate", watch)
        project.say(f"run {run} round {number}: {stages_remark(done)}")
        fit, verdicts = done.fit, done.verdicts if setup.method == DISTIL else done.verdicts.of(ids)
    else:
        fit, verdicts = _whole_panel(project, run, setup, number, ids)
    project.store.runs.update_round(run, number, fit=fit.id)
    return verdicts.updated(decided)


def _stored(project: Project, setup: RunConfig, fit: int, selections: Sequence[Selection]) -> Verdicts:
    """The verdicts that a fit has stored, and people's labels; nobody is asked.

    Items that an earlier round selected and the fit has no verdict on have none.
    """
    selected = [selection.item_id for selection in selections]
    wanted = selected
    if setup.method == DISTIL:
        ignored = project.store.decisions.ignored()
        wanted = sorted({*project.store.verdicts.confidences(fit), *selected} - ignored)
    verdicts = project.store.verdicts.get(fit, wanted)
    verdicts = verdicts.updated(decided_verdicts(project, selected))
    if left_out := len(set(selected).difference(verdicts.ids)):
        project.say(
            f"left out: {count(left_out, 'item')} selected before that the last aggregation made no verdict on"
            " (`mollia aggregate` without ids makes one for every annotated item)"
        )
    return verdicts


def _whole_panel(project: Project, run: str, setup: RunConfig, number: int, ids: Sequence[str]) -> tuple[Fit, Verdicts]:
    """The fit and its verdicts, with every LLM asked of every item."""
    watch = Stopwatch()
    panel = annotate(project, list(dict.fromkeys([*needed_for_fit(project), *ids])))
    _record(project, run, number, "annotate", watch)
    if setup.method == DISTIL:  # whatever was read for the aggregator has a verdict as good as the others
        ids = sorted({*observed_by_all(project, panel, unlabelled_sample(project)), *ids})
    fitted = fit_aggregator(project, setup.aggregator, panel, ids)
    verdicts = verdicts_on(project, fitted, ids)
    _record(project, run, number, "aggregate", watch)
    return fitted.fit, verdicts


def _verdict_quality(project: Project, selections: Sequence[Selection], verdicts: Verdicts) -> dict[str, float | None]:
    """The accuracy of the verdicts on the selected items whose true labels happen to be known.

    What people have labelled is no verdict.
    """
    decided = project.store.decisions.labels()
    items: list[Item] = project.store.items.get([s.item_id for s in selections if s.item_id not in decided])
    known = [item for item in items if item.label is not None]
    if not known:
        return {}
    gold = np.array([item.label for item in known])
    right = micro_f1(gold, verdicts.of([item.id for item in known]).labels)
    lower, upper = interval(round(right * len(known)), len(known))
    return {"verdict_accuracy": right, "verdicts_known": len(known), "verdict_lower": lower, "verdict_upper": upper}


def _record(project: Project, run: str, number: int, step: str, watch: Stopwatch, memory: int | None = None) -> None:
    project.store.runs.update_round(run, number, seconds={step: watch.lap()}, memory=memory)


def train_now(project: Project, name: str = "") -> Round:
    """``mollia train``, the step by step way: a round from people's labels and every verdict of the last aggregation.

    The verdicts are those that it has stored, whatever made them; nobody is asked. Items with a verdict that the run
    has not trained on yet become the round's selection; a run's first round without any verdict trains on the seed
    set alone. Raises MolliaError where nothing is new, or a round waits for its verdicts.
    """
    run, setup = open_run(project, name)
    with project.hold(run):
        return _train_further(project, run, setup)


def _train_further(project: Project, run: str, setup: RunConfig) -> Round:
    rounds = project.store.runs.rounds(run)
    if rounds and rounds[-1].metrics is None:
        if rounds[-1].fit is None and project.store.runs.selections(run):
            hint = "finish it: mollia round, or train another run: mollia train --run NEW"
            raise MolliaError(f"round {rounds[-1].number} of run {run!r} has no verdicts on its items yet", hint)
        return finish_round(project, run, setup, rounds[-1].number)
    taken = {selection.item_id for selection in project.store.runs.selections(run)}
    fit = project.store.verdicts.latest_fit()
    confidences = {} if fit is None else project.store.verdicts.confidences(fit.id)
    fresh = [i for i in project.store.items.ids("pool") if i in confidences and i not in taken]
    known = fit is None or (bool(rounds) and rounds[-1].fit == fit.id)
    if rounds and known and not fresh and not new_labels(project, rounds[-1]):
        raise MolliaError(
            f"run {run!r} has trained on every item that has a verdict",
            "select, annotate and aggregate more items first, or use `mollia round` or `mollia review`",
        )
    picks = [(item_id, 0.0, label) for item_id, label in zip(fresh, opinions(project, run, fresh), strict=True)]
    with project.store.transaction():
        project.store.runs.start_round(run, len(rounds), picks, 0.0)
        project.store.runs.update_round(run, len(rounds), fit=None if fit is None else fit.id)
    return finish_round(project, run, setup, len(rounds))
