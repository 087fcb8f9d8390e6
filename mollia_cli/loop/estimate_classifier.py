"""The classifier's and the encoders' part of an estimate: both are measured on texts that the run needs anyway."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from mollia_cli import models
from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.domain.rng import stream
from mollia_cli.domain.settings import DISTIL
from mollia_cli.learners import base
from mollia_cli.learners.base import DROPOUT, PERTURBED, PROBABILITIES, SIGNALS, Examples, Learner, take
from mollia_cli.loop.aggregate import embedded_alone
from mollia_cli.loop.amounts import NOTHING, SPEED, Amount, Part, Plan, spread_by_length
from mollia_cli.loop.needed import needed_for_fit, unlabelled_sample
from mollia_cli.loop.stop import STOP_SET
from mollia_cli.loop.train import fewer_epochs
from mollia_cli.project.context import Project
from mollia_cli.project.encoders import encoder_specs, frozen_encoder
from mollia_cli.project.labels import gold_labels
from mollia_cli.project.learner import EMBEDDINGS, finished_rounds, learner_kind, new_learner
from mollia_cli.project.members import certain
from mollia_cli.stopping import STOPPING
from mollia_cli.strategies import STRATEGIES

_JUDGED = 64  # texts on which the speed of an encoder in reading is measured


def classifier_cost(project: Project, plan: Plan) -> tuple[list[Part], Amount]:
    """Parts of the classifier and of all encoders, and the bytes that they add to the project."""
    seed = project.store.items.in_split("seed", labelled=True)
    gold = Examples.gold([item.text for item in seed], gold_labels(seed), len(project.labels))
    if learner_kind(project).frozen:
        learner, training, kept = _frozen(project, plan, gold)
        embedding, stored = _embedding(project, plan, learner)
        return [*embedding, training], stored + Amount(kept, kept, kept).times(plan.rounds, 0.1)
    embedding, stored = _embedding(project, plan, None)
    folder = models.resolve_encoder(project.settings.learner.encoder)
    files = [*folder.glob("*.safetensors")] or [path for path in folder.iterdir() if path.is_file()]
    kept = sum(path.stat().st_size for path in files)
    parts = [*embedding, *_tuned(project, plan, gold)]
    return parts, stored + Amount(kept, kept, kept).times(plan.rounds, 0.1)


def _frozen(project: Project, plan: Plan, gold: Examples) -> tuple[Learner, Part, float]:
    """A fitted classifier, what the rounds' fits take, and the bytes that one of them adds to the disk.

    Two fits are measured, on the seeds and on as many examples as the last round has; the others lie between them.
    """
    learner, nobody = new_learner(project), take(gold, [])
    learner.fit(gold, nobody, 0.0, 0, project.progress)  # the seeds are read now
    sizes = _examples(project, plan).values()
    few, many = len(gold.texts), max(sizes)
    rows = np.arange(many) % few
    rng = stream(project.settings.random_seed, "estimate", "examples")
    soft = rng.dirichlet(np.ones(len(project.labels)), many)
    large = replace(take(gold, rows), known=np.arange(many) < few, soft=soft)
    begin = perf_counter()
    learner = new_learner(project)
    least = learner.fit(gold, nobody, 0.0, 0).seconds
    fixed = perf_counter() - begin - least  # to load it, as a round does once more to select
    slope = max(0.0, learner.fit(large, nobody, 0.0, 0).seconds - least) / max(many - few, 1)
    spent = sum(fixed * (1 + (size > few)) + least + slope * (size - few) for size in sizes)
    with TemporaryDirectory(dir=project.root, prefix=".estimate-") as folder:
        learner.save(Path(folder) / "classifier")
        files = [path.stat() for path in Path(folder).rglob("*") if path.is_file()]
    # the encoder's own files are there already, under another name
    kept = float(sum(file.st_size for file in files if file.st_nlink == 1))
    return learner, Part("training", NOTHING, Amount(spent, spent, spent).times(1.0, SPEED)), kept


def _embedding(project: Project, plan: Plan, learner: Learner | None) -> tuple[list[Part], Amount]:
    """What encoders that stay as they are still have to read, and the bytes of it; some texts are read to measure."""
    pool, folder = project.store.items.ids("pool"), project.root / EMBEDDINGS
    seconds = stored = 0.0
    for encoder, ids in _encoders(project, plan, learner):
        unread = encoder.unread([item.text for item in project.store.items.get(sorted(ids))])
        some = unread[:: max(1, len(unread) // _JUDGED)]  # of all lengths, as they are in their order
        if not some:
            continue
        before = _size(folder)
        encoder.read(some[:1])  # loads it
        begin = perf_counter()
        encoder.read(some)
        more = len(unread) - len(some) + plan.future * (1.0 - len(ids.intersection(pool)) / max(len(pool), 1))
        seconds += more * (perf_counter() - begin) / max(len(some) - 1, 1)
        stored += more * (_size(folder) - before) / len(some)
    part = Part("embedding", NOTHING, Amount(seconds, seconds, seconds).times(1.0, SPEED))
    return [part] if seconds else [], Amount(stored, stored, stored).times(1.0, 0.1)


@dataclass(frozen=True, slots=True)
class _Encoder:
    unread: Callable[[Sequence[str]], Sequence[str]]
    read: Callable[[Sequence[str]], object]


def _encoders(project: Project, plan: Plan, learner: Learner | None) -> Iterator[tuple[_Encoder, set[str]]]:
    """Each encoder with the ids of what it reads; one of the panel and of the classifier reads a text once."""
    items, kind = project.store.items, AGGREGATORS.load(plan.setup.aggregator)
    annotated = {*needed_for_fit(project), *(one.item_id for one in project.store.runs.selections(plan.run))}
    asked = annotated | {*embedded_alone(project, kind, set())}
    learned = asked if plan.setup.method == DISTIL else annotated
    own = {*learned, *items.ids("test", labelled=True), *items.ids("validation", labelled=True)}
    if STRATEGIES.load(plan.setup.strategy).needs & SIGNALS:
        own |= {*items.ids("pool")[: plan.setup.pool_sample or None]}
    if STOPPING.load(plan.setup.stop).looks:
        own |= {*items.ids("pool")[:STOP_SET]}
    classifier = learner and models.resolve_encoder(project.settings.learner.encoder)
    for spec in encoder_specs(project) if kind.reads and not certain(project.panel) else ():
        encoder = frozen_encoder(project, spec)
        if encoder.folder == classifier:
            own |= asked
        else:
            yield _Encoder(encoder.unread, encoder.thirds), asked
            encoder.close()
    if learner is not None:
        yield _Encoder(learner.unread, learner.predict_proba), own


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _tuned(project: Project, plan: Plan, gold: Examples) -> list[Part]:
    """Training and reading: two epochs on the seed set tell the cost of an example and of a step."""
    nobody = take(gold, [])
    seed = len(gold.texts)
    spent, steps = [], []
    for least in (project.settings.learner.steps, 1):
        learner = new_learner(project, epochs=1, steps=least)
        spent.append(learner.fit(gold, nobody, 0.0, 0, project.progress).seconds)
        steps.append(_steps(project, seed, least))
    step = max(0.0, (spent[0] - spent[1]) / max(steps[0] - steps[1], 1)) if steps[0] > steps[1] else 0.0
    example = max(spent[1] - steps[1] * step, 0.1 * spent[1]) / seed
    pool = spread_by_length(project.store.items.in_split("pool"), _JUDGED)
    learner.predict_proba([item.text for item in pool[:8]])  # the first call casts the weights
    begin = perf_counter()
    learner.predict_proba([item.text for item in pool])
    reading = (perf_counter() - begin) / len(pool)
    training, read = NOTHING, 0.0
    for number, examples in _examples(project, plan).items():
        epochs = _epochs(project, plan, examples)
        one = examples * example + _steps(project, examples, project.settings.learner.steps) * step
        training += epochs.times(one + _validation(project, examples) * reading)
        read += _texts_read(project, plan, number) * reading
    return [
        Part("training", NOTHING, training.times(1.0, SPEED)),
        Part("selecting and testing", NOTHING, Amount(read, read, read).times(1.0, SPEED)),
    ]


def _steps(project: Project, examples: int, least: int) -> int:
    """Optimiser steps of an epoch, as the learner cuts it into batches."""
    size = max(1, min(project.settings.learner.batch_size, max(4, examples // max(least, 1))))
    return -(-examples // size)


def _examples(project: Project, plan: Plan) -> dict[int, int]:
    """What each round that is left trains on, about: seeds, selected items and (method distil) other verdicts'."""
    items = project.store.items
    seeds, pool = len(items.ids("seed", labelled=True)), len(items.ids("pool"))
    others: set[str] = set()
    if plan.setup.method == DISTIL:
        kind = AGGREGATORS.load(plan.setup.aggregator)
        others = {*unlabelled_sample(project), *embedded_alone(project, kind, ())}
    sizes = {}
    for number in range(plan.done, plan.done + plan.rounds):
        selected = min(number * plan.setup.batch, pool)
        sizes[number] = seeds + selected + (round(len(others) * (1.0 - selected / pool)) if number else 0)
    return sizes


def _epochs(project: Project, plan: Plan, examples: int) -> Amount:
    """As many as the run's rounds took so far; before that from just past the patience to all of them."""
    settings = project.settings.learner
    most = fewer_epochs(project, examples) if plan.setup.method == DISTIL else settings.epochs
    seen = [(record.metrics or {}).get("epochs", most) for record in finished_rounds(project, plan.run)]
    least = min(settings.patience + 1, most)
    return Amount(least, min(float(np.mean(seen)), most) if seen else (least + most) / 2, most)


def _validation(project: Project, examples: int) -> float:
    settings = project.settings.learner
    gold = len(project.store.items.ids("validation", labelled=True))
    return float(min(gold or settings.validation * examples, settings.validation_cap))


def _texts_read(project: Project, plan: Plan, number: int) -> float:
    """Texts that the classifier reads in a round beside training: test items, candidates, the stop set."""
    test = len(project.store.items.ids("test", labelled=True))
    pool = len(project.store.items.ids("pool"))
    stop = min(pool, STOP_SET) if STOPPING.load(plan.setup.stop).looks else 0
    needs = STRATEGIES.load(plan.setup.strategy).needs
    passes = max((_passes().get(signal, 0) for signal in needs), default=0) if number else 0
    candidates = min(pool, plan.setup.pool_sample or pool)
    return float(test + stop + passes * candidates + (plan.setup.batch if number else 0))


def _passes() -> dict[str, int]:
    """Passes over the candidates that each signal of the learner takes."""
    from mollia_cli.learners.inference import DROPOUT_SAMPLES, NOISES  # imports torch

    return {PROBABILITIES: 1, base.EMBEDDINGS: 1, DROPOUT: DROPOUT_SAMPLES, PERTURBED: NOISES}
