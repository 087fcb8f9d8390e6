"""What people's labels are, and what they changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import isfinite

import numpy as np

from mollia_cli.aggregators.calibration import Calibration
from mollia_cli.aggregators.precision import threshold_for
from mollia_cli.aggregators.quality import interval, krippendorff_alpha
from mollia_cli.domain.decisions import LABEL, NOTE, RANDOM, Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.metrics import cohen_kappa, micro_f1
from mollia_cli.domain.observations import IntArray
from mollia_cli.domain.people import Corrections, LabelEffect, PairAgreement, PeopleAgreement, ThresholdCheck
from mollia_cli.project.context import Project
from mollia_cli.store.verdicts import Fit


def corrections(project: Project, target_precision: float = 0.95) -> Corrections:
    """How many labels people gave, how often they contradicted the verdict, and the effect; loads no model.

    ``target_precision``: the one whose threshold is checked. The accuracy is that of the verdicts that the people began
    with, on items that were imported with a true label.
    """
    decisions = project.store.decisions
    labelled, reviewed = decisions.labels(), _reviewed(project)
    own, log = decisions.own(), decisions.all()
    settled = {d.item_id: d.who for d in log if d.adjudicates and d.act != NOTE}
    return Corrections(
        labels=len(labelled),
        by=dict(Counter(d.who for d in own if d.act == LABEL)),
        seed=len(decisions.seeds_chosen()),
        ignored=len(decisions.ignored()),
        notes=sum(d.act == NOTE for d in log),
        agreement=people_agreement(project),
        disagreements=len(decisions.disagreements()),
        adjudicated=dict(Counter(settled.values())),
        reviewed=len(reviewed),
        contradicted=sum(d.contradicts for d in reviewed),
        threshold=_threshold(project, reviewed, target_precision),
        accuracy=_accuracy(project, reviewed, labelled),
    )


def people_agreement(project: Project) -> PeopleAgreement | None:
    """How people's own labels agree where two or more have labelled an item; None where nobody has a second time.

    An item that a person has set aside is one without that person's answer.
    """
    labels = [d for d in project.store.decisions.own() if d.act == LABEL]
    people, often = sorted({d.who for d in labels}), Counter(d.item_id for d in labels)
    rows = {item_id: row for row, item_id in enumerate(i for i, n in often.items() if n > 1)}
    if not rows:
        return None
    given = np.full((len(rows), len(people)), -1, dtype=np.int64)
    for d in labels:
        if d.item_id in rows and d.label is not None:
            given[rows[d.item_id], people.index(d.who)] = d.label
    classes = len(project.labels)
    pairs = [_pair(people, given, i, j, classes) for i, j in combinations(range(len(people)), 2)]
    alpha = krippendorff_alpha(given, classes)
    return PeopleAgreement(len(rows), _known(alpha), tuple(pair for pair in pairs if pair.items))


def _pair(people: Sequence[str], given: IntArray, i: int, j: int, classes: int) -> PairAgreement:
    both = given[(given[:, i] >= 0) & (given[:, j] >= 0)]
    same = micro_f1(both[:, i], both[:, j])
    return PairAgreement(people[i], people[j], len(both), same, _known(cohen_kappa(both[:, i], both[:, j], classes)))


def _known(value: float) -> float | None:
    return value if isfinite(value) else None


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
        least = None if fit is None else promised_from(fit, target)
        if fit is None or least is None:
            continue
        confidence = least
        drawn = [d for d in reviewed if d.fit == fit.id and d.chosen == RANDOM]
        above += [d for d in drawn if d.confidence is not None and d.confidence >= least]
    if confidence is None:
        return None
    agreed = sum(not decision.contradicts for decision in above)
    lower, upper = interval(agreed, len(above))
    return ThresholdCheck(target, confidence, len(above), agreed / len(above) if above else None, lower, upper)


def promised_from(fit: Fit, target: float) -> float | None:
    """The confidence from which on a fit's verdicts have the precision ``target``; None where it promises none."""
    if fit.calibration is None:
        return None
    known = Calibration.from_json(fit.calibration)
    try:
        return threshold_for(known.placed, known.right, target).confidence
    except InputError:  # its seeds are too few, or wrong too often
        return None


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
