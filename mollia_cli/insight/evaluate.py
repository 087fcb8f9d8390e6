"""``mollia evaluate``: the accuracy of LLMs, aggregators and classifier, and of the labels alone, on known labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.quality import difference, interval, no_better
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.metrics import macro_f1, micro_f1
from mollia_cli.domain.observations import IntArray
from mollia_cli.domain.report import Missing
from mollia_cli.insight.report.labels_alone import baseline_name, encoders_alone, labels_alone, verdicts_of
from mollia_cli.insight.report.measurements import held_out, without_llms
from mollia_cli.insight.report.missing import or_missing
from mollia_cli.loop.aggregate import fit_aggregator, predict
from mollia_cli.loop.needed import fit_items, fit_seeds, needed_for_fit
from mollia_cli.loop.sample import at_random, sample_words
from mollia_cli.loop.shots import settle_prompt
from mollia_cli.project.context import Project
from mollia_cli.project.labels import gold_labels
from mollia_cli.project.learner import best_round, current_run, finished_rounds, trained_learner
from mollia_cli.project.observe import annotate, members, stack

# What the project's aggregator is measured beside: two that learn nothing, and the paper's own.
BASELINES = ("vote", "mean_logits", "molam")
Answers = dict[tuple[str, str], IntArray]  # (kind, name) -> [n] labels


@dataclass(frozen=True, slots=True)
class Score:
    """One row: who (an LLM, an aggregator, a run's classifier, the labels alone), on how many items, and how well.

    lower, upper: the accuracy's 95% interval; None for too few items.
    """

    kind: str
    name: str
    items: int
    accuracy: float
    lower: float | None
    upper: float | None
    macro_f1: float


def evaluate_panel(
    project: Project, split: str = "test", limit: int = 0, aggregators: Sequence[str] = ()
) -> list[Score]:
    """Each LLM and the aggregators (vote, mean logits, MoLAM, the project's) on a split's labelled items.

    On test the classifier, too; and beside them what can be done without an LLM: the aggregator on the panel's
    encoders (``without_llms``), and what the gold labels are worth alone (``labels_alone``). Annotates
    what is missing. ``limit`` restricts it to the first so many items (0 = all). Of the seed items, those are measured
    on that are a random sample. Raises InputError where there are none.
    """
    items = measured_on(project, split, limit)
    settle_prompt(project)
    found = answers(project, items, aggregators)
    run = current_run(project)
    if split == "test" and finished_rounds(project, run):
        record = best_round(project, run)
        learner = trained_learner(project, record)
        predictions = learner.predict_proba([item.text for item in items], project.progress).argmax(axis=1)
        found["classifier", f"{run}, round {record.number}"] = predictions
    made = baselines(project, items)
    verdicts, gold = found.get(("aggregator", project.settings.aggregate.aggregator)), gold_labels(items)
    if verdicts is not None and made:
        (_, than), others = next(iter(made.items()))  # the nearest to the verdicts
        right, without = (np.asarray(given == gold, dtype=np.bool_) for given in (verdicts, others))
        who = verdicts_of(project.settings.aggregate.aggregator)
        if words := no_better(who, than, *difference(right, without)):
            project.say(words)
    return _scored(project, items, found | made)


def baselines(project: Project, items: Sequence[Item]) -> Answers:
    """What can be done without an LLM: the aggregator on the panel's encoders, and the gold labels alone."""
    made, aggregator = Answers(), project.settings.aggregate.aggregator
    encoders = without_llms(project, members(project), aggregator, (), [item.id for item in items])
    if encoders is not None:
        made["baseline", encoders_alone(aggregator)] = encoders
    alone = or_missing(lambda: labels_alone(project, items))
    if isinstance(alone, Missing):
        project.say_once(f"{baseline_name(project)}: not measured, because {alone.message}")
    else:
        made["baseline", baseline_name(project)] = alone
    return made


def score_panel(
    project: Project, items: Sequence[Item], aggregators: Sequence[str] = (), unlabelled: Sequence[str] = ()
) -> list[Score]:
    """Each LLM alone and each aggregator on items of known label; annotates what is missing.

    Where an aggregator learns from an item's label, its verdicts there are cross-fitted.
    ``unlabelled``: ids of more items whose observations (not labels) the aggregators learn from.
    """
    return _scored(project, items, answers(project, items, aggregators, unlabelled))


def answers(
    project: Project, items: Sequence[Item], aggregators: Sequence[str] = (), unlabelled: Sequence[str] = ()
) -> Answers:
    """What ``score_panel`` measures."""
    ids = [item.id for item in items]
    members = annotate(project, list(dict.fromkeys([*needed_for_fit(project), *unlabelled, *ids])))
    panel = stack(project, members, ids)
    found = {("llm", member.name): panel.log_probs[:, column].argmax(axis=1) for column, member in enumerate(members)}
    learned = {item.id for item in fit_items(project)}.intersection(ids)
    if learned:
        project.say_once(
            f"aggregators that learn are cross-fitted on {len(learned)} of {len(ids)} items: they know the labels"
        )
    for name in aggregators or dict.fromkeys([*BASELINES, project.settings.aggregate.aggregator]):
        fitted = fit_aggregator(project, AGGREGATORS.check(name), members, unlabelled)
        given = predict(project, fitted, ids).argmax(axis=1)
        if learned and fitted.aggregator.learns:
            held = held_out(project, members, name, unlabelled)
            given = np.array([held.get(item_id, label) for item_id, label in zip(ids, given.tolist(), strict=True)])
        found["aggregator", name] = given
    return found


def measured_on(project: Project, split: str, limit: int = 0) -> list[Item]:
    """The labelled items of a split, of the seeds a random sample; the first ``limit`` of them (0: all).

    Raises InputError where there are none.
    """
    items = _sample(project) if split == "seed" else project.store.items.in_split(split, labelled=True)
    if not items:
        raise InputError(
            f"no item of {split} can be measured on: it would need a known label"
            f"{' and to be drawn at random' if split == 'seed' else ''}",
            f"import some: mollia import FILE --split {split} --label-column NAME",
        )
    return items[:limit] if limit else items


def _sample(project: Project) -> list[Item]:
    """The seed items that can be measured on."""
    items = fit_seeds(project)
    ids = [item.id for item in items]
    project.say_once(f"measured on {sample_words(project, ids)}")
    return [items[row] for row in at_random(project, ids)]


def _scored(project: Project, items: Sequence[Item], found: Answers) -> list[Score]:
    gold, rows = gold_labels(items), []
    for (kind, name), given in found.items():
        ends = interval(int((given == gold).sum()), len(gold))
        macro = macro_f1(gold, given, len(project.labels))
        rows.append(Score(kind, name, len(gold), micro_f1(gold, given), *ends, macro))
    return rows
