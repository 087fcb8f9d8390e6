"""The method "refined": verdicts that the texts have corrected, and the confident ones of the unselected pool.

What LLMs get wrong they get wrong alike on like texts. A linear model on the untrained encoder's view of
the texts learns the verdicts, joins the panel as one more, cross-fitted annotator, and the aggregator is
refitted (aggregators/text.py). LLM labels cost compute and no person's time, so the learner then trains
on every item that was annotated anyway, where its verdict is among the most confident of its label.
"""

from collections.abc import Sequence

import numpy as np

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.features import most_confident
from mollia_cli.aggregators.text import LinearText, embedding_features, refine
from mollia_cli.domain.rng import stream_seed
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.loop.aggregate import fit_digest, negative_rule, verdicts_of
from mollia_cli.loop.needed import fit_items, unlabelled_sample
from mollia_cli.project.context import Project
from mollia_cli.project.learner import new_learner
from mollia_cli.project.observe import Member, observed_by_all, stack
from mollia_cli.store.verdicts import Fit

TEXT = "text"
CONFIDENT = 0.8  # share of each predicted label's verdicts that unselected items are taken from


def refined_verdicts(
    project: Project, aggregator: str, panel: Sequence[Member], selected: Sequence[str]
) -> tuple[Fit, Verdicts]:
    """(the fit, verdicts on the selected items and on confident others of the annotated sample).

    What was refined before from the same observations is read from the store.
    """
    ids = sorted({*observed_by_all(project, panel, unlabelled_sample(project)), *selected})
    fit = _fit(project, aggregator, panel, ids)
    return fit, with_confident(project, fit.id, selected)


def with_confident(project: Project, fit: int, selected: Sequence[str]) -> Verdicts:
    """The verdicts that a fit has stored on the selected items, and its confident ones on others, by id."""
    verdicts = project.store.verdicts.get(fit, sorted(project.store.verdicts.confidences(fit)))
    if not len(verdicts):
        return verdicts
    confident = verdicts.take(most_confident(verdicts.probabilities, CONFIDENT)).ids
    kept = {*confident, *selected} - project.store.decisions.ignored()
    return verdicts.of([item_id for item_id in verdicts.ids if item_id in kept])


def _fit(project: Project, name: str, panel: Sequence[Member], ids: Sequence[str]) -> Fit:
    seed = fit_items(project)
    random_seed = stream_seed(project.settings.random_seed, "refine", name, *project.own_streams)
    keys = [member.key for member in panel]
    kind: type[Aggregator] = AGGREGATORS.load(name)
    rule = negative_rule(project, panel)
    digest = fit_digest(
        kind,
        rule,
        {
            "refined": TEXT,
            "panel": keys,
            "seed": [[item.id, item.label] for item in seed],
            "pool": list(ids),
            "encoder": [project.settings.learner.encoder, project.settings.learner.max_tokens],
            "random_seed": random_seed,
            "samples": project.settings.annotate.samples,
        },
    )
    known = project.store.verdicts.find_fit(digest)
    if known is not None:
        return known
    items = [*seed, *project.store.items.get(ids)]
    layers = new_learner(project).describe([item.text for item in items], project.progress)
    gold = np.array([item.label for item in seed], dtype=np.int64)
    observed = stack(project, panel, ids)
    refined = refine(
        kind,
        stack(project, panel, [item.id for item in seed]),
        gold,
        observed,
        {TEXT: LinearText(embedding_features(layers))},
        random_seed,
    )
    probabilities = refined.aggregator.predict_proba(refined.pool)
    # y- by the LLMs alone: delta was chosen on their evidence, and a text model on few texts hardly ever goes below it
    made = verdicts_of(probabilities, observed, rule.delta)
    with project.store.transaction():
        sizes = (len(seed), len(ids))
        fit = project.store.verdicts.add_fit(digest, f"{name}+{TEXT}", keys, sizes, refined.aggregator.to_json())
        project.store.verdicts.add(fit.id, made)
    return fit
