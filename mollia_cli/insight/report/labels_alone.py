"""What the gold labels are worth alone: a linear classifier of them, beside which the LLMs' work is measured."""

from collections.abc import Sequence

import numpy as np

from mollia_cli.aggregators.quality import difference, interval
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import IntArray
from mollia_cli.domain.printable import count
from mollia_cli.domain.report import LabelsAlone, LLMsAdd
from mollia_cli.domain.rng import stream, stream_seed
from mollia_cli.insight.report.measurements import without_llms
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


def measured_alone(project: Project, classifier: bool) -> LabelsAlone:
    """``labels_alone`` on the test items, where a ``classifier`` was measured there; else on the seeds.

    Raises NotFoundError without either.
    """
    items = project.store.items.in_split("test", labelled=True) if classifier else _random_seeds(project)
    right = np.asarray(labels_alone(project, items) == gold_labels(items), dtype=np.bool_)
    lower, upper = interval(int(right.sum()), len(right))
    on = count(len(items), "test item") if classifier else f"{count(len(items), 'seed item')}, cross-fitted"
    return LabelsAlone(baseline_name(project), on, len(items), float(right.mean()), lower, upper)


def what_llms_add(project: Project, panel: Sequence[Member], aggregator: str) -> LLMsAdd:
    """The aggregator's cross-fitted verdicts on the seeds beside what was made of the same labels without any LLM.

    Raises NotFoundError where no seed can be measured on.
    """
    pool = observed_by_all(project, panel, project.store.items.ids("pool"))
    fitted = fit_aggregator(project, aggregator, panel, also=pool)
    if fitted.calibration is None:
        raise NotFoundError(f"{aggregator} learns nothing from the labels", "mollia aggregate --aggregator mixture")
    items = _random_seeds(project)
    than, others = beside_verdicts(project, panel, aggregator, pool, items)
    found = difference(fitted.calibration.right, others == gold_labels(items))
    return LLMsAdd(verdicts_of(aggregator), than, f"{count(len(items), 'seed item')}, cross-fitted", *found)


def beside_verdicts(
    project: Project, panel: Sequence[Member], aggregator: str, also: Sequence[str], items: Sequence[Item]
) -> tuple[str, IntArray]:
    """(what an aggregator's verdicts on the items are compared with, its [n] labels): what no LLM had a part in.

    The same aggregator on the panel's encoders alone, else ``labels_alone``.
    """
    found = without_llms(project, panel, aggregator, also, [item.id for item in items])
    if found is None:
        return baseline_name(project), labels_alone(project, items)
    return encoders_alone(aggregator), found


def verdicts_of(aggregator: str) -> str:
    """What they are called beside others."""
    return f"the verdicts of {aggregator}"


def encoders_alone(aggregator: str) -> str:
    """What an aggregator is called beside others where no LLM has observed anything."""
    return f"{aggregator} without the LLMs"


def _random_seeds(project: Project) -> list[Item]:
    seeds = fit_seeds(project)
    items = [seeds[row] for row in at_random(project, [item.id for item in seeds])]
    if not items:
        raise NotFoundError("no seed item was drawn at random", "mollia label --seed 50")
    return items
