"""``mollia aggregate``: an aggregator fitted on the seed labels, and its verdicts."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mollia_cli import __version__
from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.calibration import Calibration, fit_calibrated, tempered
from mollia_cli.aggregators.negatives import NegativeRule, negative_labels, rule_for, without_verdicts
from mollia_cli.aggregators.precision import LEVEL as LEVEL
from mollia_cli.aggregators.precision import Threshold, threshold_for
from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.progress import step
from mollia_cli.domain.rng import stream, stream_seed
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.loop.needed import fit_items, fit_seeds, pool_sample, unlabelled_sample
from mollia_cli.loop.sample import at_random
from mollia_cli.project.context import Project
from mollia_cli.project.encoders import encoder_digests, encoder_specs
from mollia_cli.project.labels import decided_verdicts
from mollia_cli.project.observe import Member, members, observed_by_all, stack, unobserved
from mollia_cli.store.items import chunks
from mollia_cli.store.verdicts import Fit

MOST = 10_000  # unlabelled items that an aggregator learns from, and items that are predicted together


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted aggregator with its record, its panel, Eq. 5's rule, and its calibration if it learns."""

    fit: Fit
    aggregator: Aggregator
    panel: tuple[Member, ...]
    negatives: NegativeRule
    calibration: Calibration | None

    def predict_proba(self, panel: Panel) -> FloatArray:
        """[n, K] calibrated probabilities."""
        probabilities = self.aggregator.predict_proba(panel)
        return tempered(probabilities, self.calibration.temperature) if self.calibration else probabilities


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Verdicts and how they came about. ``threshold``: where a target precision was asked for."""

    fitted: Fitted
    verdicts: Verdicts
    threshold: Threshold | None

    @property
    def below(self) -> int:
        """How many verdicts are less confident than the threshold."""
        return 0 if self.threshold is None else int((self.verdicts.confidences < self.threshold.confidence).sum())


def fit_aggregator(
    project: Project,
    name: str = "",
    panel: Sequence[Member] = (),
    also: Sequence[str] = (),
    wanted: Sequence[str] | None = None,
) -> Fitted:
    """The aggregator ``name`` (default: the project's) fitted on the labelled items and unlabelled ones.

    Labelled are the seeds and what people have labelled; unlabelled are ``learned_from``. ``wanted``: the items
    that verdicts are for (None: ``also``), so that a fit's verdicts are those of one aggregation. The same
    was fitted before: that fit is read from the store.
    Labelled items that were not annotated yet, or labels of one class only, raise InputError.
    """
    name = AGGREGATORS.check(name or project.settings.aggregate.aggregator)
    panel = tuple(panel or members(project))
    kind: type[Aggregator] = AGGREGATORS.load(name)
    seed = fit_items(project)
    _check_seed(project, kind, [item.label for item in seed if item.label is not None])
    seed_ids = [item.id for item in seed]
    ready = observed_by_all(project, panel, seed_ids)
    if kind.learns and len(ready) < len(seed_ids):
        raise NotFoundError(
            f"{len(seed_ids) - len(ready)} of {len(seed_ids)} labelled items were not annotated by the whole panel yet",
            "mollia annotate",
        )
    if not kind.learns:
        seed, seed_ids = [], []
    pool_ids = learned_from(project, panel, also, seed_ids) if kind.learns else []
    unread = embedded_alone(project, kind, {*pool_ids, *seed_ids})
    # the seeds stand first; what people reviewed is no fair sample
    measured = (
        at_random(project, [item.id for item in fit_seeds(project)]) if kind.learns else np.zeros(0, dtype=np.int64)
    )
    random_seed = stream_seed(project.settings.random_seed, "aggregate", name, *project.own_streams)
    rule = negative_rule(project, panel)
    digest = fit_digest(
        kind,
        rule,
        {
            "panel": [member.key for member in panel],
            **({"question": project.question.label} if project.question else {}),
            **({"encoders": encoder_digests(project), "embedded alone": unread} if kind.reads else {}),
            "seed": [[item.id, item.label] for item in seed],
            "pool": pool_ids,
            "wanted": list(also if wanted is None else wanted),
            "random_seed": random_seed,
            "samples": project.settings.annotate.samples,
            "calibration": ["temperature and ranks of the seeds, cross-fitted", measured.tolist()],
        },
    )
    fit = project.store.verdicts.find_fit(digest)
    if fit is not None:
        stored = Calibration.from_json(fit.calibration) if fit.calibration else None
        return Fitted(fit, kind.from_json(fit.state), panel, rule, stored)
    seen, labels = _stacked(project, panel, seed)
    unlabelled = stack(project, panel, pool_ids).joined(unobserved(project, panel, unread))
    aggregator: Aggregator
    calibration = None
    with step(project.progress, f"fitting {name}"):
        if kind.learns:
            aggregator, calibration = fit_calibrated(kind, seen, labels, unlabelled, random_seed, measured)
        else:
            aggregator = kind().fit(seen, labels, unlabelled, random_seed)
    fit = project.store.verdicts.add_fit(
        digest,
        name,
        [member.key for member in panel],
        (len(seed_ids), len(pool_ids)),
        aggregator.to_json(),
        calibration.to_json() if calibration else None,
    )
    return Fitted(fit, aggregator, panel, rule, calibration)


def fit_digest(kind: type[Aggregator], rule: NegativeRule, data: Mapping[str, Any]) -> str:
    """What a fit and its verdicts depend on, so that neither ever changes: code, aggregator, Eq. 5's rule, data."""
    code = {"mollia": __version__, "package": AGGREGATORS.package(kind.name)}
    how = {**code, "aggregator": kind.name, "settings": kind().settings()}
    return digest_of({**how, "negatives": [rule.delta, rule.bound], **data})


def learned_from(project: Project, panel: Sequence[Member], also: Sequence[str], labelled: Container[str]) -> list[str]:
    """The unlabelled items that an aggregator learns from: the project's sample and ``some`` of ``also``.

    Of each what was annotated and is not among the ``labelled`` ids.
    """
    wanted = dict.fromkeys([*unlabelled_sample(project), *some(project, also)])
    return observed_by_all(project, panel, [item_id for item_id in wanted if item_id not in labelled])


def embedded_alone(project: Project, kind: type[Aggregator], learned: Container[str]) -> list[str]:
    """A sample of the pool that no LLM has to read: of it the panel's encoders alone tell the aggregator something."""
    if not kind.reads or not encoder_specs(project):
        return []
    sample = pool_sample(project, "embedded", project.settings.aggregate.embedded)
    return [item_id for item_id in sample if item_id not in learned]


def with_unread(project: Project, kind: type[Aggregator], panel: Sequence[Member], pool: Panel, seed: Panel) -> Panel:
    """The pool's observations, then ``embedded_alone``: what a fit of the aggregator learns from beside the seeds."""
    return pool.joined(unobserved(project, panel, embedded_alone(project, kind, {*pool.ids, *seed.ids})))


def some(project: Project, ids: Sequence[str]) -> Sequence[str]:
    """``ids``, or a fixed random MOST of them in their order."""
    if len(ids) <= MOST:
        return ids
    rows = stream(project.settings.random_seed, "unlabelled", "most").permutation(len(ids))[:MOST]
    return [ids[row] for row in sorted(rows.tolist())]


def aggregate(
    project: Project,
    name: str = "",
    ids: Sequence[str] | None = None,
    target_precision: float | None = None,
    level: float = LEVEL,
) -> Aggregated:
    """Verdicts on ``ids`` (None: every annotated pool item), by an aggregator that also learned from them, unlabelled.

    People's labels override verdicts. ``target_precision``: also the confidence from which the other verdicts of
    the pool have that accuracy, promised at the confidence ``level``; then it learns from every annotated pool item,
    so that the same holds whatever the ids are. Raises InputError where the seeds cannot promise it, or the
    aggregator learns nothing that could tell.
    """
    panel = members(project)
    wanted = _annotated(project, panel) if ids is None else ids
    learned = wanted if ids is None or target_precision is None else _annotated(project, panel)
    fitted = fit_aggregator(project, name, panel, learned, wanted)
    verdicts = verdicts_on(project, fitted, wanted).updated(decided_verdicts(project, wanted))
    threshold = None if target_precision is None else _threshold(fitted, target_precision, level)
    return Aggregated(fitted, verdicts, threshold)


def _annotated(project: Project, panel: Sequence[Member]) -> list[str]:
    return observed_by_all(project, panel, project.store.items.ids("pool"))


def _threshold(fitted: Fitted, target: float, level: float) -> Threshold:
    known = fitted.calibration
    if known is None:
        raise InputError(
            f"{fitted.fit.aggregator} learns nothing from seed labels, so that its confidence promises nothing",
            "use one that does: mollia aggregate --aggregator conditional_logit",
        )
    return threshold_for(known.placed, known.right, target, level)


def negative_rule(project: Project, panel: Sequence[Member]) -> NegativeRule:
    """Eq. 5's rule by the project's settings, on the seed items that the panel has observed."""
    seed, gold = observed_seeds(project, panel)
    settings = project.settings.aggregate
    return rule_for(seed, gold, settings.delta, settings.false_negatives, at_random(project, seed.ids))


def observed_seeds(project: Project, panel: Sequence[Member]) -> tuple[Panel, IntArray]:
    """What the whole panel observed of the seed items that an aggregator learns from, and their labels [n]."""
    return _stacked(project, panel, _observed_items(project, panel, fit_seeds(project)))


def observed_labelled(project: Project, panel: Sequence[Member]) -> tuple[Panel, IntArray]:
    """The same for all that it learns labels from: the seeds stand first."""
    return _stacked(project, panel, _observed_items(project, panel, fit_items(project)))


def predict(project: Project, fitted: Fitted, ids: Sequence[str]) -> FloatArray:
    """[n, K] calibrated probabilities of annotated items."""
    return fitted.predict_proba(stack(project, fitted.panel, ids))


def predict_verdicts(project: Project, fitted: Fitted, ids: Sequence[str]) -> Verdicts:
    """The verdicts on annotated items; they are not stored."""
    seen = stack(project, fitted.panel, ids)
    return verdicts_of(fitted.predict_proba(seen), seen, fitted.negatives.delta)


def _observed_items(project: Project, panel: Sequence[Member], items: Sequence[Item]) -> list[Item]:
    ready = set(observed_by_all(project, panel, [item.id for item in items]))
    return [item for item in items if item.id in ready]


def _stacked(project: Project, panel: Sequence[Member], items: Sequence[Item]) -> tuple[Panel, IntArray]:
    """What the panel observed of n labelled items, and their labels [n]."""
    labels = np.array([item.label for item in items], dtype=np.int64)
    return stack(project, panel, [item.id for item in items]), labels


def verdicts_on(project: Project, fitted: Fitted, ids: Sequence[str]) -> Verdicts:
    """Verdicts on annotated items, as they are stored under the fit; items not annotated raise NotFoundError.

    A verdict that the fit has stored before stays.
    """
    ready = set(observed_by_all(project, fitted.panel, ids))
    if len(ready) < len(ids):
        first = next(item_id for item_id in ids if item_id not in ready)
        raise NotFoundError(
            f"{len(ids) - len(ready)} of {len(ids)} items were not annotated by the whole panel yet, first {first}",
            "annotate them: mollia annotate - < ids.txt",
        )
    _add_missing(project, fitted, ids)
    return project.store.verdicts.get(fitted.fit.id, ids)


def unread_verdicts(project: Project, number: int) -> Verdicts:
    """What the fit of a record number keeps of the pool texts that encoders alone have read (``embedded_alone``).

    They are a part of the fit, and not among the verdicts stored under it, which are the LLMs' and are reviewed and
    exported. There are none where its aggregator reads no texts, or it is a cascade's.
    """
    nothing = Verdicts.none(len(project.labels))
    fit = project.store.verdicts.fit(number)
    if fit is None or fit.aggregator not in AGGREGATORS:
        return nothing
    kind: type[Aggregator] = AGGREGATORS.load(fit.aggregator)
    if not kind.reads:
        return nothing
    made = kind.from_json(fit.state)
    ids = embedded_alone(project, kind, project.store.verdicts.confidences(fit.id))
    panel = [Member(name, key) for name, key in zip(made.annotators, fit.panel, strict=True)]
    unread = unobserved(project, panel, [item_id for item_id in ids if made.knows(item_id)])
    probabilities = made.predict_proba(unread)
    if fit.calibration:
        probabilities = tempered(probabilities, Calibration.from_json(fit.calibration).temperature)
    return Verdicts(unread.ids, probabilities.argmax(axis=1), probabilities, np.zeros(probabilities.shape, dtype=bool))


def _add_missing(project: Project, fitted: Fitted, ids: Sequence[str]) -> None:
    known = set(project.store.verdicts.answers(fitted.fit.id, ids)[0])
    missing = [item_id for item_id in ids if item_id not in known]
    # in parts, because their features take far more memory than their verdicts
    made = [predict_verdicts(project, fitted, part) for part in chunks(missing, MOST)]
    project.store.verdicts.add(fitted.fit.id, Verdicts.none(len(project.labels)).joined(*made))


def verdicts_of(probabilities: FloatArray, panel: Panel, delta: float) -> Verdicts:
    """y+ and y- (Eqs. 5 and 6) of the panel's n items from [n, K] probabilities."""
    labels = probabilities.argmax(axis=1)
    return Verdicts(panel.ids, labels, probabilities, without_verdicts(negative_labels(panel, delta), labels))


def _check_seed(project: Project, kind: type[Aggregator], labels: Sequence[int]) -> None:
    if not kind.learns:
        return
    if not labels:
        raise InputError(
            f"{kind.name} learns from seed labels and the project has none",
            "label some: mollia label --seed 50, or mollia import seed.csv --split seed (or use --aggregator vote)",
        )
    if len(set(labels)) == 1:
        every = f"all {len(labels)} seed labels are" if len(labels) > 1 else "the only seed label is"
        raise InputError(
            f"{every} {project.labels.names[labels[0]]!r}; {kind.name} needs two or more",
            "label items of other labels (mollia label, mollia review), or use --aggregator vote",
        )
    absent = [name for k, name in enumerate(project.labels.names) if k not in set(labels)]
    if absent:
        project.say(f"no seed item is labelled {', '.join(absent)}: the aggregator has to guess there")
