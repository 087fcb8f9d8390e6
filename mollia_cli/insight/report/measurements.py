"""Labels beside true labels: accuracy, calibration and confusions."""

from collections.abc import Sequence

import numpy as np

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.calibration import cross_fitted, expected_calibration_error, reliability
from mollia_cli.aggregators.quality import interval
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.metrics import confusion, macro_f1
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.printable import count
from mollia_cli.domain.report import Measurement, PerLabel
from mollia_cli.domain.rng import stream_seed
from mollia_cli.insight.report.subject import classifier_round, run_verdicts
from mollia_cli.loop.aggregate import fit_aggregator, learned_from, observed_labelled, observed_seeds, with_unread
from mollia_cli.loop.sample import at_random, sample_words
from mollia_cli.project.context import Project
from mollia_cli.project.encoders import encoder_specs
from mollia_cli.project.labels import gold_labels
from mollia_cli.project.learner import trained_learner
from mollia_cli.project.observe import Member, observed_by_all, stack, unobserved

SEEDS, POOL, TEST = "seeds", "pool", "test"


def verdicts_on_seeds(project: Project, panel: Sequence[Member], name: str) -> Measurement:
    """The aggregator on the seed items that are a random sample, cross-fitted.

    One that learns from no label is measured as it is. Raises NotFoundError where no such seed was annotated.
    """
    seed, gold = observed_seeds(project, panel)
    if not len(seed):
        raise NotFoundError(
            "no seed item with a true label was annotated by the whole panel yet",
            "mollia import labelled.csv --split seed && mollia annotate",
        )
    rows = at_random(project, seed.ids)
    if not len(rows):
        raise NotFoundError(
            f"none of the {count(len(seed), 'seed item')} was drawn at random, so that nothing can be measured on them",
            f"mollia label --seed {len(seed) + 50}",
        )
    pool = observed_by_all(project, panel, project.store.items.ids("pool"))
    fitted = fit_aggregator(project, name, panel, also=pool)
    on, known = sample_words(project, seed.ids), fitted.calibration
    if known is None:
        given = fitted.predict_proba(seed)[rows]
        return measured(project.labels, SEEDS, name, on, given.argmax(axis=1), given.max(axis=1), gold[rows])
    held = held_out(project, panel, name, pool)
    labels = np.array([held[seed.ids[row]] for row in rows], dtype=np.int64)
    calibrated = (expected_calibration_error(known.raw, known.right), known.temperature)
    confidence = known.confidence
    return measured(project.labels, SEEDS, name, f"{on}, cross-fitted", labels, confidence, gold[rows], calibrated)


def held_out(project: Project, panel: Sequence[Member], name: str, also: Sequence[str]) -> dict[str, int]:
    """Labels of the items that ``fit_aggregator(project, name, panel, also)`` learns labels from, cross-fitted."""
    kind: type[Aggregator] = AGGREGATORS.load(name)
    seen, labels, unlabelled = _material(project, panel, kind, also)
    held = cross_fitted(kind, seen, labels, unlabelled, stream_seed(project.settings.random_seed, "aggregate", name))
    return dict(zip(seen.ids, held.argmax(axis=1).tolist(), strict=True))


def without_llms(
    project: Project, panel: Sequence[Member], name: str, also: Sequence[str], ids: Sequence[str]
) -> IntArray | None:
    """[n] labels of items by the same aggregator as ``held_out`` where no LLM has observed anything.

    The panel's encoders alone tell it of the items that it learns from; an item whose label it learns from is
    cross-fitted. None where it does not look at texts, or the panel has no encoder.
    """
    kind: type[Aggregator] = AGGREGATORS.load(name)
    if not kind.reads or not encoder_specs(project):
        return None
    seen, labels, learned = _material(project, panel, kind, also)
    seed, unlabelled = (unobserved(project, panel, read.ids) for read in (seen, learned))
    random_seed = stream_seed(project.settings.random_seed, "aggregate", name)
    found: dict[str, int] = {}
    if not set(ids).isdisjoint(seed.ids):
        held = cross_fitted(kind, seed, labels, unlabelled, random_seed)
        found = dict(zip(seed.ids, held.argmax(axis=1).tolist(), strict=True))
    if others := [item_id for item_id in ids if item_id not in found]:
        fitted = kind().fit(seed, labels, unlabelled, random_seed)
        given = fitted.predict_proba(unobserved(project, panel, others)).argmax(axis=1)
        found |= dict(zip(others, given.tolist(), strict=True))
    return np.array([found[item_id] for item_id in ids], dtype=np.int64)


def _material(
    project: Project, panel: Sequence[Member], kind: type[Aggregator], also: Sequence[str]
) -> tuple[Panel, IntArray, Panel]:
    """(what was observed of the labelled items, [n] their labels, the unlabelled ones) that a fit learns from."""
    seen, labels = observed_labelled(project, panel)
    unlabelled = stack(project, panel, learned_from(project, panel, also, set(seen.ids)))
    return seen, labels, with_unread(project, kind, panel, unlabelled, seen)


def verdicts_on_pool(project: Project, run: str) -> Measurement:
    """The run's verdicts where the true label is known; it was used for nothing else. NotFoundError where it is not."""
    found = run_verdicts(project, run)
    known = project.store.items.known_labels(found.ids)
    if not known:
        raise NotFoundError(
            "the true labels of the pool are not known, so that the verdicts are measured on the seeds alone",
            "mollia select --strategy doubt",
        )
    rows = [row for row, item_id in enumerate(found.ids) if item_id in known]
    gold = np.array([known[found.ids[row]] for row in rows], dtype=np.int64)
    on = f"{count(len(rows), 'pool item')} whose true label is known"
    return measured(project.labels, POOL, found.fit.aggregator, on, found.labels[rows], found.confidence[rows], gold)


def classifier_on_test(project: Project, run: str) -> tuple[Measurement, IntArray]:
    """The run's best classifier on the n test items, and the labels [n] that it gives them.

    NotFoundError where there are no such items, or no classifier.
    """
    items = project.store.items.in_split("test", labelled=True)
    if not items:
        raise NotFoundError(
            "there are no test items, so that the classifier's accuracy is not known",
            "mollia import labelled_test.csv --split test",
        )
    record = classifier_round(project, run)
    given = trained_learner(project, record).predict_proba([item.text for item in items], project.progress)
    who, on = f"classifier of run {run}, round {record.number}", count(len(items), "test item")
    labels = given.argmax(axis=1)
    return measured(project.labels, TEST, who, on, labels, given.max(axis=1), gold_labels(items)), labels


def measured(
    labels: LabelSet,
    kind: str,
    who: str,
    on: str,
    given: IntArray,
    confidence: FloatArray,
    gold: IntArray,
    calibrated: tuple[float, float] | None = None,
) -> Measurement:
    """given, confidence, gold: [n], n > 0; calibrated: (ECE before, temperature)."""
    right = np.asarray(given == gold, dtype=np.bool_)
    counts = confusion(gold, given, len(labels))
    lower, upper = interval(int(right.sum()), len(gold))
    ece_before, temperature = calibrated or (None, None)
    return Measurement(
        kind=kind,
        who=who,
        on=on,
        items=len(gold),
        accuracy=float(right.mean()),
        lower=lower,
        upper=upper,
        macro_f1=macro_f1(gold, given, len(labels)),
        ece=expected_calibration_error(confidence, right),
        ece_before=ece_before,
        temperature=temperature,
        reliability=tuple(reliability(confidence, right)),
        counts=tuple(tuple(row) for row in counts.tolist()),
        per_label=tuple(_per_label(name, counts, k) for k, name in enumerate(labels.names)),
    )


def _per_label(name: str, counts: IntArray, k: int) -> PerLabel:
    right, items, given = int(counts[k, k]), int(counts[k].sum()), int(counts[:, k].sum())
    return PerLabel(name, items, given, right / given if given else None, right / items if items else None)
