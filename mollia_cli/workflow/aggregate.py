"""``mollia aggregate``: fit an aggregator on the seed labels and conclude verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.base import Aggregator
from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.observations import Panel
from mollia_cli.domain.rng import stream_seed
from mollia_cli.domain.verdicts import Verdict
from mollia_cli.store.verdicts import Fit
from mollia_cli.workflow.annotate import Member, fit_seeds, members, observed_by_all, stack, unlabelled_sample
from mollia_cli.workflow.project import Project


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted aggregator with its record and the panel it belongs to."""

    fit: Fit
    aggregator: Aggregator
    panel: tuple[Member, ...]


def fit_aggregator(project: Project, name: str = "", panel: Sequence[Member] = (), also: Sequence[str] = ()) -> Fitted:
    """The aggregator ``name`` (default: the project's) fitted on the seed set and unlabelled items.

    Those are the project's unlabelled sample and ``also``, of each what was annotated. The same inputs
    were fitted before: that fit is read from the store. Seed items that were not annotated yet, or seed
    labels of one class only, raise InputError.
    """
    name = AGGREGATORS.check(name or project.settings.aggregate.aggregator)
    panel = tuple(panel or members(project))
    kind: type[Aggregator] = AGGREGATORS.load(name)
    seed = fit_seeds(project)
    _check_seed(project, kind, [item.label for item in seed if item.label is not None])
    seed_ids = [item.id for item in seed]
    ready = observed_by_all(project, panel, seed_ids)
    if kind.learns and len(ready) < len(seed_ids):
        raise NotFoundError(
            f"{len(seed_ids) - len(ready)} of {len(seed_ids)} seed items were not annotated by the whole panel yet",
            "mollia annotate",
        )
    if not kind.learns:
        seed, seed_ids = [], []
    unlabelled = list(dict.fromkeys([*unlabelled_sample(project), *also])) if kind.learns else []
    pool_ids = observed_by_all(project, panel, unlabelled)
    random_seed = stream_seed(project.settings.seed, "aggregate", name)
    digest = digest_of(
        {
            "aggregator": name,
            "panel": [member.key for member in panel],
            "seed": [[item.id, item.label] for item in seed],
            "pool": pool_ids,
            "random_seed": random_seed,
        }
    )
    fit = project.store.verdicts.find_fit(digest)
    if fit is not None:
        return Fitted(fit, kind.from_json(fit.state), panel)
    labels = np.array([item.label for item in seed], dtype=np.int64)
    project.progress(f"fitting {name}", 0, 1)
    aggregator = kind().fit(
        stack(project, panel, seed_ids), labels, stack(project, panel, pool_ids), random_seed=random_seed
    )
    project.progress(f"fitting {name}", 1, 1)
    with project.store.guarded():
        fit = project.store.verdicts.add_fit(
            digest, name, [member.key for member in panel], (len(seed_ids), len(pool_ids)), aggregator.to_json()
        )
    return Fitted(fit, aggregator, panel)


def conclude(project: Project, fitted: Fitted, ids: Sequence[str]) -> list[Verdict]:
    """Verdicts on annotated items, stored under the fit; items not annotated raise NotFoundError."""
    ready = observed_by_all(project, fitted.panel, ids)
    if len(ready) < len(ids):
        first = next(item_id for item_id in ids if item_id not in set(ready))
        raise NotFoundError(
            f"{len(ids) - len(ready)} of {len(ids)} items were not annotated by the whole panel yet, first {first}",
            "annotate them: mollia annotate - < ids.txt",
        )
    made = verdicts_of(fitted.aggregator, stack(project, fitted.panel, ids), project.settings.aggregate.delta)
    with project.store.guarded():
        project.store.verdicts.add(fitted.fit.id, made)
    return made


def verdicts_of(aggregator: Aggregator, panel: Panel, delta: float) -> list[Verdict]:
    """y+ and y- (Eqs. 5 and 6) of a panel's observations; a verdict's own label is never among its negatives."""
    from mollia_cli.aggregators.negatives import negative_labels, without_verdicts

    if not len(panel):
        return []
    probabilities = aggregator.predict_proba(panel)
    labels = probabilities.argmax(axis=1)
    negatives = without_verdicts(negative_labels(panel, delta), labels)
    return [
        Verdict(
            item_id,
            int(labels[row]),
            float(probabilities[row, labels[row]]),
            probabilities[row],
            tuple(int(k) for k in np.flatnonzero(negatives[row])),
        )
        for row, item_id in enumerate(panel.ids)
    ]


def default_targets(project: Project, panel: Sequence[Member]) -> list[str]:
    """What `mollia aggregate` concludes on when no ids are given: every annotated pool item."""
    return observed_by_all(project, panel, project.store.items.ids("pool"))


def _check_seed(project: Project, kind: type[Aggregator], labels: Sequence[int]) -> None:
    if not kind.learns:
        return
    if not labels:
        raise InputError(
            f"{kind.name} learns from seed labels and the project has none",
            "import some: mollia import seed.csv --as seed (or use --with vote)",
        )
    if len(set(labels)) == 1:
        raise InputError(
            f"all {len(labels)} seed labels are {project.labels.names[labels[0]]!r}; {kind.name} needs two or more",
            "import seed items of other labels, or use --with vote",
        )
    absent = [name for k, name in enumerate(project.labels.names) if k not in set(labels)]
    if absent:
        project.say(f"no seed item is labelled {', '.join(absent)}: the aggregator has to guess there")
