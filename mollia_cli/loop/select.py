"""``mollia select``: the items that the query strategy wants annotated next."""

from collections.abc import Container, Sequence

import numpy as np

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.printable import count
from mollia_cli.domain.rng import stream, stream_seed
from mollia_cli.loop.aggregate import MOST, fit_aggregator, predict
from mollia_cli.loop.selector import PER_PICK, answers
from mollia_cli.project.context import Project
from mollia_cli.project.fields import where
from mollia_cli.project.learner import current_run, finished_rounds, run_config, trained_learner
from mollia_cli.project.observe import Member, members, observed_by_all, stack
from mollia_cli.project.panel import labelled_by, observing
from mollia_cli.store.items import chunks
from mollia_cli.strategies import STRATEGIES
from mollia_cli.strategies.base import ANSWERS, CONFIDENCE, EMBEDDINGS, PANEL, Pick, Signals, Strategy

_FROM_PANEL = frozenset({PANEL, CONFIDENCE})


def select(
    project: Project,
    strategy_name: str,
    n: int,
    run_name: str = "",
    pool_sample: int = 0,
    conditions: Sequence[str] = (),
) -> list[Pick]:
    """Choose ``n`` pool items that the run has not selected, and people have not labelled yet.

    ``conditions``: only items that meet them, see project/fields.py.
    ``pool_sample``: look at so many random candidates only (0 = all), for huge pools; one that
    asks an LLM a question looks at ten random ones for each it picks. Otherwise as ``rank``.
    """
    if n < 1:
        raise InputError(f"cannot select {count(n, 'item')}", "give a number above 0: -n 50")
    run = current_run(project, run_name)
    selected = {selection.item_id for selection in project.store.runs.selections(run)}
    candidates = [item_id for item_id in undecided(project, where(project, conditions)) if item_id not in selected]
    return rank(project, strategy_name, candidates, n, run, pool_sample)


def undecided(project: Project, wanted: Container[str] | None = None) -> list[str]:
    """The pool items that people have neither labelled nor disagree on; ``wanted``: only of these."""
    taken = {*project.store.decisions.labels(), *project.store.decisions.disagreements()}
    pool = project.store.items.ids("pool")
    return [item_id for item_id in pool if item_id not in taken and (wanted is None or item_id in wanted)]


def rank(
    project: Project, strategy_name: str, candidates: Sequence[str], n: int, run_name: str = "", pool_sample: int = 0
) -> list[Pick]:
    """The ``n`` of the candidates that a strategy wants most, best first.

    Strategies that look at the learner need a trained one (NotFoundError); those that look at
    the panel choose among annotated items.
    """
    strategy: Strategy = STRATEGIES.load(strategy_name)()
    run = current_run(project, run_name)
    rounds = project.store.runs.rounds(run)
    if strategy.needs & _FROM_PANEL:
        candidates = _annotated(project, run, strategy_name, candidates)
    if not candidates:
        return []
    if ANSWERS in strategy.needs:
        pool_sample = pool_sample or PER_PICK * n
    streams = (run_config(project, run).repeat, len(rounds))
    if 0 < pool_sample < len(candidates):
        rows = stream(project.settings.random_seed, "pool sample", *streams).permutation(len(candidates))
        candidates = [candidates[row] for row in sorted(rows[: max(pool_sample, n)])]
    signals = _signals(
        project, run, strategy, candidates, stream_seed(project.settings.random_seed, "signals", *streams)
    )
    return strategy.select(signals, n, stream(project.settings.random_seed, "select", *streams))


def opinions(project: Project, run: str, ids: Sequence[str]) -> list[int | None]:
    """What the run's last model says of items that it has not trained on; None before there is a model."""
    rounds = finished_rounds(project, run)
    if not rounds or not ids:
        return [None] * len(ids)
    texts = [item.text for item in project.store.items.get(ids)]
    found = trained_learner(project, rounds[-1]).predict_proba(texts, project.progress)
    return [int(label) for label in found.argmax(axis=1)]


def _signals(project: Project, run: str, strategy: Strategy, candidates: Sequence[str], seed: int) -> Signals:
    """What the strategy needs, in one pass of the learner over candidates and labelled items."""
    from_panel = _panel_signals(project, run, strategy, candidates)
    if ANSWERS in strategy.needs:
        from_panel[ANSWERS] = answers(project, strategy, candidates)
    needs = strategy.needs - _FROM_PANEL - {ANSWERS}
    rounds = finished_rounds(project, run)
    if needs and not rounds:
        raise NotFoundError(
            f"strategy {strategy.name!r} looks at a trained classifier, and run {run!r} has none yet",
            "train one first: mollia train (or choose --strategy random)",
        )
    if not needs:
        return Signals(tuple(candidates), **from_panel)
    learner = trained_learner(project, rounds[-1])
    texts = [item.text for item in project.store.items.get(candidates)]
    found = learner.signals(texts, needs, seed, project.progress)
    if EMBEDDINGS in needs:
        selected = [s.item_id for s in project.store.runs.selections(run)]
        labelled = dict.fromkeys([*project.store.items.ids("seed"), *selected, *project.store.decisions.labels()])
        known = [item.text for item in project.store.items.get(list(labelled))]
        found["labelled_embeddings"] = learner.signals(known, frozenset({EMBEDDINGS}), seed)[EMBEDDINGS]
    return Signals(tuple(candidates), **found, **from_panel)


def _panel_of(project: Project, run: str) -> list[Member]:
    """The panel that labels for a run; the project's where the run's labels are no observations."""
    return members(observing(labelled_by(project, run)))


def _annotated(project: Project, run: str, strategy: str, candidates: Sequence[str]) -> list[str]:
    """The candidates that the whole panel has observed; none at all is an error."""
    ready = observed_by_all(project, _panel_of(project, run), candidates)
    if candidates and not ready:
        raise NotFoundError(
            f"strategy {strategy!r} looks at the panel's observations, and no candidate was annotated yet",
            "annotate the pool first: mollia annotate --split pool",
        )
    if len(ready) < len(candidates):
        project.say(f"{strategy} chooses among the {len(ready)} annotated of {len(candidates)} candidates")
    return ready


def _panel_signals(project: Project, run: str, strategy: Strategy, candidates: Sequence[str]) -> dict[str, FloatArray]:
    signals: dict[str, FloatArray] = {}
    parts = list(chunks(candidates, MOST))  # what the signals are made from takes far more memory than they do
    if PANEL in strategy.needs:
        panel = _panel_of(project, run)
        z = np.concatenate([stack(project, panel, part).probabilities for part in parts])
        signals[PANEL] = z / np.maximum(z.sum(axis=2, keepdims=True), 1e-12)
    if CONFIDENCE in strategy.needs:
        fitted = fit_aggregator(project, run_config(project, run).aggregator, _panel_of(project, run), candidates)
        made = (predict(project, fitted, part) for part in parts)
        signals[CONFIDENCE] = np.concatenate([probabilities.max(axis=1) for probabilities in made])
    return signals
