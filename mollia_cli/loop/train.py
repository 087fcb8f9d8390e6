"""``mollia train``: one training of the learner on gold seeds and weighted, negative-labelled verdicts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.memory import Peak
from mollia_cli.domain.metrics import macro_f1, micro_f1
from mollia_cli.domain.rng import stream, stream_seed
from mollia_cli.domain.settings import DISTIL, RunConfig
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.learners.base import Examples, Learner, join, take
from mollia_cli.learners.discrepancy import discrepancy_weights, negative_weight
from mollia_cli.learners.splits import LEAST, validation_split
from mollia_cli.loop.generate import synthetic_examples
from mollia_cli.project.context import Project
from mollia_cli.project.encoders import say_of_length
from mollia_cli.project.labels import gold_labels
from mollia_cli.project.learner import learner_kind, new_learner
from mollia_cli.store.runs import Selection

# What the paper's largest fit sees before it stops early: 550 items, some 30 epochs.
_PASSES = 15_000
_LEAST_EPOCHS = 3


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a round trains on: gold seeds, selected items with their verdicts, and verdicts on other annotated items.

    ``trusted`` verdicts, people's or true labels, weigh 1 whatever the previous round's model says.
    """

    seed: Sequence[Item]
    selections: Sequence[Selection]
    verdicts: Verdicts
    trusted: bool = False


def training_examples(project: Project, labelled: Labelled, alpha: float, soft: bool = False) -> Examples:
    """Seeds with weight 1 and no negatives; selections with y+, W_d (Eq. 8) and y- (Eq. 5).

    Verdicts on items that were not selected come behind them, with W_d = 1. ``soft``: the verdicts' probabilities
    instead of y+ (knowledge distillation: Hinton et al. 2015), with weight 1 and no negatives; they hold what W_d and
    y- are for.
    """
    classes = len(project.labels)
    picked = {selection.item_id: selection.opinion for selection in labelled.selections}
    gold = Examples.gold([i.text for i in labelled.seed], gold_labels(labelled.seed), classes)
    items = project.store.items.get([*picked, *labelled.verdicts.without(set(picked)).ids])
    if not items:
        return gold
    verdicts = labelled.verdicts.of([item.id for item in items])
    texts, known = tuple(item.text for item in items), np.full(len(items), labelled.trusted)
    if soft:
        trusted = Examples.gold(texts, verdicts.labels, classes)
        return join(gold, replace(trusted, known=known, soft=verdicts.probabilities))
    opinions = [picked.get(item.id) for item in items]
    differs = np.array([o is not None and o != k for o, k in zip(opinions, verdicts.labels, strict=True)])
    weights = discrepancy_weights(differs, 1.0 if labelled.trusted else alpha)
    return join(gold, Examples(texts, verdicts.labels, weights, verdicts.negatives, known))


def train_learner(
    project: Project,
    labelled: Labelled,
    number: int,
    config: RunConfig,
    lambda_before: float | None = None,
) -> tuple[Learner, dict[str, Any], int | None]:
    """A learner trained from its pretrained weights, how the training went, and its peak memory in bytes.

    The memory is the process's, without what LLMs that are kept loaded hold; None where it is unknown.

    config: runs of the same repeat share their random streams.
    lambda_before: the previous round's weight of negative labels, see ``negative_weight``.
    """
    examples = training_examples(project, labelled, config.alpha, config.method == DISTIL)
    check_classes(project, examples)
    training, validation, source = split_validation(project, examples, config.repeat, number)
    synthetic = synthetic_examples(project) if config.synthetic else None
    if synthetic is not None:  # after the cut: none may be a validation item
        training = join(training, synthetic)
    weight = negative_weight(number, config.rounds, config.lambda_start, config.lambda_end, lambda_before)
    more_than_selected = len(labelled.verdicts) > len(labelled.selections)
    learner = new_learner(project, fewer_epochs(project, len(training.texts)) if more_than_selected else 0)
    random_seed = stream_seed(project.settings.random_seed, "train", config.repeat, number)
    say_of_length(project, Path(project.settings.learner.encoder).name, learner.longer)
    with Peak() as peak:
        report = learner.fit(training, validation, weight, random_seed, project.progress)
        memory = peak.process
    if memory is not None:
        memory -= sum(llm.held for _, llm in (project.loaded or {}).values())
    metrics: dict[str, Any] = {
        "labelled": len(labelled.seed) + len(labelled.selections),
        "trained_on": len(examples.texts),
        **({} if synthetic is None else {"synthetic": len(synthetic.texts)}),
        "lambda": weight,
        "validation": source,
    }
    if not learner.frozen:
        metrics |= {"epochs": report.epochs, "best_epoch": report.best_epoch, "stopped_early": report.stopped_early}
    if len(validation.texts):
        predictions = learner.predict_proba(validation.texts).argmax(axis=1)
        metrics["validation_f1"] = micro_f1(validation.targets, predictions)
    return learner, metrics, memory


def check_classes(project: Project, examples: Examples) -> None:
    """InputError where everything to learn from has one label: no classifier can tell it from others."""
    if len(found := set(examples.targets.tolist())) == 1:
        raise InputError(
            f"all {len(examples.texts)} labels to learn from are {project.labels.names[found.pop()]!r}",
            "label items of other labels, too: mollia label, or mollia import labelled.csv --split seed",
        )


def fewer_epochs(project: Project, examples: int) -> int:
    """The settings' epochs, or as many as make up ``_PASSES`` examples, repeated ones counted."""
    return min(project.settings.learner.epochs, max(_LEAST_EPOCHS, round(_PASSES / max(examples, 1))))


def validation_rule(project: Project) -> str:
    """What a fit stops by, and where ``split_validation`` takes its items from, for people."""
    settings = project.settings.learner
    gold = len(project.store.items.ids("validation", labelled=True))
    if learner_kind(project).frozen:
        return f"the encoder stays as it is, and the {settings.name} classifier learns from every label (none held out)"
    if not gold and not settings.validation:
        return "early stopping on nothing (learner.validation is 0): all epochs are trained"
    if not gold:
        few = len(project.store.items.ids("seed", labelled=True)) < LEAST
        none_held = f"; of fewer than {LEAST} labels none are held out, and all epochs are trained"
        return (
            f"early stopping on {settings.validation:.0%} of each round's own labels, at most {settings.validation_cap}"
            f" (no gold label is needed){none_held if few else ''}"
        )
    capped = "" if gold <= settings.validation_cap else f" of {gold} (learner.validation_cap in mollia.toml)"
    return f"early stopping on {min(gold, settings.validation_cap)}{capped} gold validation items"


def split_validation(project: Project, examples: Examples, repeat: int, number: int) -> tuple[Examples, Examples, str]:
    """(training, validation, where validation came from): the project's gold rows, capped, or a cut of the labelled.

    Nothing is cut for a learner that leaves the encoder as it is: it has no epochs to stop.
    """
    settings = project.settings.learner
    gold = project.store.items.in_split("validation", labelled=True)
    if gold:
        if len(gold) > settings.validation_cap:
            order = stream(project.settings.random_seed, "validation").permutation(len(gold))
            gold = [gold[row] for row in sorted(order[: settings.validation_cap])]
        return (
            examples,
            Examples.gold([i.text for i in gold], gold_labels(gold), len(project.labels)),
            f"{len(gold)} gold",
        )
    if learner_kind(project).frozen:
        return examples, take(examples, []), "0 held out"
    rng = stream(project.settings.random_seed, "validation", repeat, number)
    keep, held = validation_split(examples.targets, rng, settings.validation, settings.validation_cap)
    return take(examples, keep), take(examples, held), f"{len(held)} cut from the labelled"


def evaluate(project: Project, learner: Learner) -> dict[str, float]:
    """Micro and macro F1 on the labelled test items; empty where the project has none."""
    items = project.store.items.in_split("test", labelled=True)
    if not items:
        return {}
    predictions = learner.predict_proba([item.text for item in items], project.progress).argmax(axis=1)
    gold = gold_labels(items)
    return {
        "test_items": len(items),
        "test_micro_f1": micro_f1(gold, predictions),
        "test_macro_f1": macro_f1(gold, predictions, len(project.labels)),
    }


def keep_model(project: Project, learner: Learner, run: str, number: int) -> str:
    """Save the learner under the project's models folder, whole or not at all; returns the relative path."""
    folder = project.models_folder / run / f"round-{number:02d}"
    for parent in (project.models_folder, folder.parent):
        parent.mkdir(mode=0o700, exist_ok=True)
    learner.save(folder)
    return str(folder.relative_to(project.root))


class Stopwatch:
    """Seconds of each step."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def lap(self) -> float:
        """Seconds since the last lap."""
        start, self._start = self._start, time.monotonic()
        return self._start - start
