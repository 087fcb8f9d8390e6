"""Whether a run should end before its number of rounds, from what is stored of it."""

from collections.abc import Sequence

import numpy as np

from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.rng import stream_seed
from mollia_cli.domain.settings import RunConfig
from mollia_cli.loop.needed import needed_for_fit
from mollia_cli.loop.setup import BUDGET, as_opened
from mollia_cli.project.context import Project
from mollia_cli.project.learner import trained_learner
from mollia_cli.project.members import certain
from mollia_cli.project.observe import members
from mollia_cli.stopping import STOPPING
from mollia_cli.stopping.base import Criterion, History
from mollia_cli.store.runs import Round

# Bloodgood & Vijay-Shanker (2009) find 1,000 items enough on most data sets, 2,000 on all.
STOP_SET = 1000


def stop_reason(project: Project, run: str, setup: RunConfig, rounds: Sequence[Round]) -> str:
    """Why the run should end after these finished rounds, or ""; stored with the run and said.

    It is the same however often the run was stopped in between: it depends on what the store holds alone.
    """
    project = as_opened(project, setup)
    budget = STOPPING.load(BUDGET)(setup.budget_tokens, setup.budget_minutes)
    chosen = STOPPING.load(setup.stop)() if setup.stop != BUDGET else budget
    reason = ""
    for criterion in (budget, chosen):
        reason = reason or criterion.reason(history(project, run, setup, rounds, criterion))
    project.store.runs.stop(run, reason)
    if reason:
        project.say(f"run {run} ends after round {rounds[-1].number}: {reason}")
    return reason


def history(project: Project, run: str, setup: RunConfig, rounds: Sequence[Round], criterion: Criterion) -> History:
    """What the criterion may look at. Classifiers that were not asked for their opinions yet are asked now."""
    counted = setup.budget_tokens and not certain(project.panel)
    tokens = _tokens(project, run, setup) if counted else 0
    minutes = sum(sum(record.seconds.values()) for record in rounds) / 60
    if not criterion.looks:
        return History(tokens=tokens, minutes=minutes)
    return History(_opinions(project, run, rounds), _gold_scores(rounds), tokens, minutes)


def _gold_scores(rounds: Sequence[Round]) -> FloatArray:
    """[R] micro-F1 on gold validation items; empty where a round had none: cuts of its own labels are no yardstick."""
    metrics = [record.metrics or {} for record in rounds]
    gold = all(str(found.get("validation", "")).endswith("gold") for found in metrics)
    return np.array([found["validation_f1"] for found in metrics] if gold else [], dtype=np.float64)


def stop_set(project: Project) -> list[str]:
    """At most STOP_SET pool items, drawn one by one: an import replaces some of them, not all."""
    pool = project.store.items.ids("pool")
    return sorted(pool, key=lambda item_id: stream_seed(project.settings.random_seed, "stop set", item_id))[:STOP_SET]


def _opinions(project: Project, run: str, rounds: Sequence[Round]) -> FloatArray:
    """[R, m, K] of the stop set's items; a round whose classifier cannot be asked any more raises NotFoundError."""
    wanted = stop_set(project)
    said = []
    for record in rounds:
        known = project.store.runs.opinions(run, record.number)
        if missing := [item_id for item_id in wanted if item_id not in known]:
            texts = [item.text for item in project.store.items.get(missing)]
            found = trained_learner(project, record).predict_proba(texts, project.progress)
            project.store.runs.add_opinions(run, record.number, dict(zip(missing, found, strict=True)))
            known = project.store.runs.opinions(run, record.number)
        said.append([known[item_id] for item_id in wanted])
    return np.array(said, dtype=np.float64).reshape(len(rounds), len(wanted), len(project.labels))


def _tokens(project: Project, run: str, setup: RunConfig) -> int:
    """Tokens that the panel decoded for the run's items, whenever that was."""
    selected = [selection.item_id for selection in project.store.runs.selections(run)]
    ids = list(dict.fromkeys([*needed_for_fit(project), *selected]))
    panel = [member for member in members(project) if not setup.cascade or member.name in setup.cascade]
    return sum(seen.tokens for m in panel for seen in project.store.observations.get(m.key, ids).values())
