"""What people's labels are, and what they changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mollia_cli.aggregators.calibration import Calibration
from mollia_cli.aggregators.precision import threshold_for
from mollia_cli.aggregators.quality import interval
from mollia_cli.domain.decisions import IGNORE, LABEL, NOTE, RANDOM, Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.report import Corrections, LabelEffect, ThresholdCheck
from mollia_cli.project.context import Project


def corrections(project: Project, target_precision: float = 0.95) -> Corrections:
    """How many labels people gave, how often they contradicted the verdict, and the effect; loads no model.

    ``target_precision``: the one whose threshold is checked. The accuracy is that of the verdicts that the people began
    with, on items that were imported with a true label.
    """
    decisions = project.store.decisions
    labelled, reviewed = decisions.labels(), _reviewed(project)
    ignored, log = decisions.ignored(), decisions.all()
    return Corrections(
        labels=len(labelled),
        by=dict(Counter(d.who for d in _last(log).values() if d.act == LABEL)),
        seed=sum(d.seed for d in _last(log).values() if d.act == LABEL),
        ignored=len(ignored),
        notes=sum(d.act == NOTE for d in log),
        reviewed=len(reviewed),
        contradicted=sum(d.contradicts for d in reviewed),
        threshold=_threshold(project, reviewed, target_precision),
        accuracy=_accuracy(project, reviewed, labelled),
    )


def _last(log: Sequence[Decision]) -> dict[str, Decision]:
    """The decision that holds for each item."""
    return {d.item_id: d for d in log if d.act in (LABEL, IGNORE)}


def _reviewed(project: Project) -> list[Decision]:
    """For each labelled item that had a verdict: the label that holds, against the verdict before any label.

    A later verdict has learned from the person's label and would agree with it.
    """
    first: dict[str, Decision] = {}
    for decision in project.store.decisions.all():
        if decision.act == LABEL and decision.verdict is not None:
            first.setdefault(decision.item_id, decision)
    labelled = project.store.decisions.labels()
    return [replace(d, label=labelled[d.item_id]) for d in first.values() if d.item_id in labelled]


def _threshold(project: Project, reviewed: Sequence[Decision], target: float) -> ThresholdCheck | None:
    """The target precision's threshold of each fit that people reviewed, checked by their labels above it.

    Only items drawn at random count: people look at the least confident ones first.
    """
    above: list[Decision] = []
    confidence = None
    for number in dict.fromkeys(decision.fit for decision in reviewed):
        fit = None if number is None else project.store.verdicts.fit(number)
        if fit is None or fit.calibration is None:
            continue
        known = Calibration.from_json(fit.calibration)
        try:
            confidence = threshold_for(known.placed, known.right, target).confidence
        except InputError:  # the seeds of this fit cannot promise it
            continue
        drawn = [d for d in reviewed if d.fit == fit.id and d.chosen == RANDOM]
        least = confidence
        above += [d for d in drawn if d.confidence is not None and d.confidence >= least]
    if confidence is None:
        return None
    agreed = sum(not decision.contradicts for decision in above)
    lower, upper = interval(agreed, len(above))
    return ThresholdCheck(target, confidence, len(above), agreed / len(above) if above else None, lower, upper)


def _accuracy(project: Project, reviewed: Sequence[Decision], labelled: Mapping[str, int]) -> LabelEffect | None:
    """The accuracy before, with people's labels in place of verdicts, and of the last aggregation with them."""
    fit, last = next((d.fit for d in reviewed), None), project.store.verdicts.latest_fit()
    if fit is None or last is None:
        return None
    known = {d.item_id: d.known for d in project.store.decisions.all() if d.known is not None}
    for item in project.store.items.in_split("pool", labelled=True):
        if item.label is not None:
            known.setdefault(item.id, item.label)
    before = {verdict.item_id: verdict for verdict in project.store.verdicts.get(fit, list(known)).rows()}
    now = {verdict.item_id: verdict for verdict in project.store.verdicts.get(last.id, list(before)).rows()}
    if not before:
        return None

    def accuracy(labels: Mapping[str, int]) -> float:
        return sum(known[i] == labels.get(i, verdict.label) for i, verdict in before.items()) / len(before)

    after = None if last.id == fit else accuracy({**{i: v.label for i, v in now.items()}, **labelled})
    return LabelEffect(len(before), accuracy({}), accuracy(labelled), after)
