"""``mollia report detectors``: which estimator finds wrong verdicts, measured on a run."""

from dataclasses import dataclass

import numpy as np

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.verdicts import Verdict
from mollia_cli.project.context import Project
from mollia_cli.project.learner import current_run
from mollia_cli.store.runs import Round


@dataclass(frozen=True, slots=True)
class KnownVerdicts:
    """n verdicts of a run, each from the round that selected its item, with everything known of them.

    probabilities: [n, K] of the aggregator; votes: [n, N, K]; verdicts, predictions (of the
    previous round's classifier) and gold: [n].
    """

    run: str
    probabilities: FloatArray
    votes: FloatArray
    verdicts: IntArray
    predictions: IntArray
    gold: IntArray


def known_verdicts(project: Project, name: str = "") -> KnownVerdicts:
    """The run's verdicts on items with a known true label that a classifier has predicted before.

    Raises NotFoundError where there are none.
    """
    run = current_run(project, name)
    found: list[tuple[Verdict, FloatArray, int, int]] = []
    for record in project.store.runs.rounds(run):
        if record.fit is not None:
            found += _of_round(project, run, record)
    if not found:
        raise NotFoundError(
            f"run {run!r} has no verdict on an item whose true label is known",
            "import the pool with its labels and run two rounds with the panel: mollia run --rounds 2",
        )
    verdicts, votes, predictions, gold = zip(*found, strict=True)
    return KnownVerdicts(
        run,
        np.array([verdict.probabilities for verdict in verdicts]),
        np.array(votes),
        np.array([verdict.label for verdict in verdicts]),
        np.array(predictions),
        np.array(gold),
    )


def _of_round(project: Project, run: str, record: Round) -> list[tuple[Verdict, FloatArray, int, int]]:
    assert record.fit is not None
    fit = project.store.verdicts.fit(record.fit)
    assert fit is not None
    predicted = {s.item_id: s.opinion for s in project.store.runs.selections(run, record.number)}
    verdicts = {verdict.item_id: verdict for verdict in project.store.verdicts.get(fit.id, list(predicted)).rows()}
    items = [item for item in project.store.items.get(list(verdicts)) if item.label is not None]
    known = [item for item in items if predicted[item.id] is not None]
    columns = {key: project.store.observations.get(key, [item.id for item in known]) for key in fit.panel}
    votes = Panel.stack([item.id for item in known], columns, len(project.labels)).votes
    return [
        (verdicts[item.id], votes[row], int(predicted[item.id] or 0), int(item.label or 0))
        for row, item in enumerate(known)
    ]
