"""``mollia report detectors``: what gives wrong verdicts away, measured on a run."""

from dataclasses import dataclass

import numpy as np

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.project.context import Project
from mollia_cli.project.learner import current_run
from mollia_cli.store.runs import Round

_COLUMNS = ("probabilities", "votes", "verdicts", "opinions", "gold")


@dataclass(frozen=True, slots=True)
class Judged:
    """n verdicts of a run, each from the round that selected its item, with everything known of them.

    probabilities: [n, K] of the aggregator; votes: [n, N, K]; verdicts, opinions (of the previous
    round's classifier) and gold: [n].
    """

    run: str
    probabilities: FloatArray
    votes: FloatArray
    verdicts: IntArray
    opinions: IntArray
    gold: IntArray


def judged_verdicts(project: Project, name: str = "") -> Judged:
    """The run's verdicts on items with a known true label that a classifier had an opinion of."""
    run = current_run(project, name)
    found = [_of_round(project, run, record) for record in project.store.runs.rounds(run) if record.fit is not None]
    if not sum(len(part.gold) for part in found):
        raise NotFoundError(
            f"run {run!r} has no verdict on an item whose true label is known",
            "import the pool with its labels and run two rounds with the panel: mollia run --rounds 2",
        )
    return Judged(run, *(np.concatenate([getattr(part, name) for part in found]) for name in _COLUMNS))


def _of_round(project: Project, run: str, record: Round) -> Judged:
    assert record.fit is not None
    fit = project.store.verdicts.fit(record.fit)
    assert fit is not None
    opinions = {s.item_id: s.opinion for s in project.store.runs.selections(run, record.number)}
    verdicts = project.store.verdicts.get(fit.id, list(opinions))
    items = project.store.items.get([item_id for item_id in verdicts.ids if opinions[item_id] is not None])
    known = {item.id: item.label for item in items if item.label is not None}
    verdicts = verdicts.of(list(known))
    columns = {key: project.store.observations.get(key, verdicts.ids) for key in fit.panel}
    return Judged(
        run,
        verdicts.probabilities,
        Panel.stack(verdicts.ids, columns, len(project.labels)).votes,
        verdicts.labels,
        np.array([opinions[item_id] for item_id in verdicts.ids], dtype=np.int64),
        np.array(list(known.values()), dtype=np.int64),
    )
