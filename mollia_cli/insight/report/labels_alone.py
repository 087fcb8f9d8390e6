"""What the gold labels are worth alone: a linear classifier of them, beside which the LLMs' work is measured."""

from collections.abc import Sequence

import numpy as np

from mollia_cli.aggregators.quality import difference, interval
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import BoolArray, IntArray
from mollia_cli.domain.report import LabelsAlone, Measurement, Missing
from mollia_cli.domain.rng import stream, stream_seed
from mollia_cli.insight.report.missing import without_folders
from mollia_cli.learners.base import Examples, take
from mollia_cli.loop.aggregate import fit_aggregator
from mollia_cli.loop.needed import fit_seeds
from mollia_cli.loop.sample import at_random
from mollia_cli.project.context import Project
from mollia_cli.project.labels import gold_labels, labelled_by_people
from mollia_cli.project.learner import new_learner
from mollia_cli.project.observe import Member, observed_by_all

_LEARNER = "linear"
_PARTS = 5


def labels_alone(project: Project, items: Sequence[Item]) -> IntArray:
    """[n] labels of items by a linear head on the project's encoder, fitted on the gold labels and on nothing else.

    Gold are the seeds' labels and people's, which a round trains on, too; an item that is one of them is predicted by
    a head that was fitted without its part of them. Raises NotFoundError without a label, or without the encoder.
    """
    gold = [*project.store.items.in_split("seed", labelled=True), *labelled_by_people(project)]
    if not gold:
        raise NotFoundError("there are no gold labels to learn from", "mollia label --seed 50")
    texts, labels = [item.text for item in gold], gold_labels(gold)
    learner = new_learner(project, name=_LEARNER)
    part = stream(project.settings.random_seed, "labels alone").permutation(len(gold)) % _PARTS
    own = dict(zip((item.id for item in gold), part.tolist(), strict=True))
    held = np.array([own.get(item.id, -1) for item in items], dtype=np.int64)
    found = np.empty(len(items), dtype=np.int64)
    for number in np.unique(held):
        kept = np.flatnonzero(part != number)
        if not len(kept):
            raise NotFoundError("one gold label cannot be measured on", "label more: mollia label --seed 50")
        examples = Examples.gold([texts[row] for row in kept], labels[kept], len(project.labels))
        random_seed = stream_seed(project.settings.random_seed, "labels alone", int(number))
        learner.fit(examples, take(examples, []), 0.0, random_seed, project.progress)
        rows = np.flatnonzero(held == number)
        found[rows] = learner.predict_proba([items[row].text for row in rows.tolist()], project.progress).argmax(axis=1)
    return found


def baseline_name(project: Project) -> str:
    """What it is called beside others."""
    return f"labels alone ({_LEARNER}, {without_folders(project.settings.learner.encoder)})"


def beside_labels_alone(
    project: Project, panel: Sequence[Member], aggregator: str, test: tuple[Measurement, IntArray] | Missing
) -> LabelsAlone:
    """The classifier on the test items (``test``: its measurement and labels), else the aggregator on the seeds.

    The aggregator's verdicts are cross-fitted, by its calibration. Raises NotFoundError where neither was measured.
    """
    if not isinstance(test, Missing):
        measurement, given = test
        items = project.store.items.in_split("test", labelled=True)
        return compared(project, items, measurement.who, measurement.on, given == gold_labels(items))
    pool = observed_by_all(project, panel, project.store.items.ids("pool"))
    fitted = fit_aggregator(project, aggregator, panel, also=pool)
    if fitted.calibration is None:
        raise NotFoundError(f"{aggregator} learns nothing from the labels", "mollia aggregate --aggregator mixture")
    seeds = fit_seeds(project)
    items = [seeds[row] for row in at_random(project, [item.id for item in seeds])]
    if not items:
        raise NotFoundError("no seed item was drawn at random", "mollia label --seed 50")
    return compared(project, items, aggregator, f"{len(items)} seed items, cross-fitted", fitted.calibration.right)


def compared(project: Project, items: Sequence[Item], who: str, on: str, right: BoolArray) -> LabelsAlone:
    """``labels_alone`` beside who is ``right`` on the items, [n]."""
    alone = np.asarray(labels_alone(project, items) == gold_labels(items), dtype=np.bool_)
    lower, upper = interval(int(alone.sum()), len(alone))
    value, value_lower, value_upper = difference(right, alone)
    return LabelsAlone(
        name=baseline_name(project),
        beside=who,
        on=on,
        items=len(alone),
        accuracy=float(alone.mean()),
        lower=lower,
        upper=upper,
        value=value,
        value_lower=value_lower,
        value_upper=value_upper,
    )
