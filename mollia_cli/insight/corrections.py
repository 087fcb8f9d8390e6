"""What people's labels are, and what they changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mollia_cli.aggregators.calibration import Calibration
from mollia_cli.aggregators.precision import threshold_for
from mollia_cli.aggregators.quality import interval
from mollia_cli.domain.decisions import IGNORE, LABEL, NOTE, RANDOM, Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.project.context import Project


def corrections(project: Project, target_precision: float = 0.95) -> dict[str, Any]:
    """How many labels people gave, how often they contradicted the verdict, and what that did.

    JSON-ready; None for what cannot be known. ``threshold``: whether verdicts that should be right
    ``target_precision`` of the time were, by the people's labels of items drawn at random. ``accuracy``: of
    the verdicts that the people began with, on items whose true label came with them: as they were, with
    people's labels in their place, and as the last aggregation concludes now.
    """
    decisions = project.store.decisions
    told, judged = decisions.labels(), _judged(project)
    ignored, log = decisions.ignored(), decisions.all()
    return {
        "labels": len(told),
        "by": dict(Counter(d.who for d in _last(log).values() if d.act == LABEL)),
        "seed": sum(d.seed for d in _last(log).values() if d.act == LABEL),
        "ignored": len(ignored),
        "notes": sum(d.act == NOTE for d in log),
        "reviewed": len(judged),
        "contradicted": sum(d.contradicts for d in judged),
        "threshold": _threshold(project, judged, target_precision),
        "accuracy": _accuracy(project, judged, told),
    }


def _last(log: Sequence[Decision]) -> dict[str, Decision]:
    """The decision that holds for each item."""
    return {d.item_id: d for d in log if d.act in (LABEL, IGNORE)}


def _judged(project: Project) -> list[Decision]:
    """For each labelled item that had a verdict: the label that holds, against the verdict before any label.

    A later verdict has learned from the person's label and would agree with it.
    """
    first: dict[str, Decision] = {}
    for decision in project.store.decisions.all():
        if decision.act == LABEL and decision.verdict is not None:
            first.setdefault(decision.item_id, decision)
    told = project.store.decisions.labels()
    return [replace(d, label=told[d.item_id]) for d in first.values() if d.item_id in told]


def _threshold(project: Project, judged: Sequence[Decision], target: float) -> dict[str, Any] | None:
    """The target precision's threshold of each fit that people judged: what they say of the verdicts above it.

    Only items drawn at random count: people look at the least confident ones first.
    """
    above: list[Decision] = []
    confidence = None
    for number in dict.fromkeys(decision.fit for decision in judged):
        fit = None if number is None else project.store.verdicts.fit(number)
        if fit is None or fit.calibration is None:
            continue
        known = Calibration.from_json(fit.calibration)
        try:
            confidence = threshold_for(known.placed, known.right, target).confidence
        except InputError:  # the seeds of this fit cannot promise it
            continue
        drawn = [d for d in judged if d.fit == fit.id and d.chosen == RANDOM]
        least = confidence
        above += [d for d in drawn if d.confidence is not None and d.confidence >= least]
    if confidence is None:
        return None
    agreed = sum(not decision.contradicts for decision in above)
    lower, upper = interval(agreed, len(above))
    return {
        "target": target,
        "confidence": confidence,
        "reviewed": len(above),
        "precision": agreed / len(above) if above else None,
        "lower": lower,
        "upper": upper,
    }


def _accuracy(project: Project, judged: Sequence[Decision], told: Mapping[str, int]) -> dict[str, Any] | None:
    """Right verdicts before, with people's labels in their place, and of the last aggregation with them."""
    fit, last = next((d.fit for d in judged), None), project.store.verdicts.latest_fit()
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

    def right(labels: Mapping[str, int]) -> float:
        return sum(known[i] == labels.get(i, verdict.label) for i, verdict in before.items()) / len(before)

    return {
        "items": len(before),
        "before": right({}),
        "with_labels": right(told),
        "after": None if last.id == fit else right({**{i: v.label for i, v in now.items()}, **told}),
    }
