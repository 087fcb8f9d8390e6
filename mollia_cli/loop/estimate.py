"""``mollia estimate``: what a run will cost on this machine, from a short measurement.

Each LLM reads a few of the texts that the run needs anyway (they are stored), the learner trains for two
epochs on the seed set, and the aggregator is fitted on made-up observations of the right size. What cannot be
known, above all how many epochs early stopping will take, becomes a range.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from mollia_cli import models
from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.annotators.base import Annotator
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Panel
from mollia_cli.domain.processor import Others
from mollia_cli.domain.rng import stream
from mollia_cli.domain.settings import DISTIL, RunConfig
from mollia_cli.learners.base import DROPOUT, EMBEDDINGS, PERTURBED, PROBABILITIES, Examples, take
from mollia_cli.loop.aggregate import embedded_alone
from mollia_cli.loop.needed import fit_seeds, needed_for_fit
from mollia_cli.loop.setup import as_opened, planned_run
from mollia_cli.loop.stop import STOP_SET
from mollia_cli.loop.train import fewer_epochs
from mollia_cli.project.context import Project
from mollia_cli.project.labels import gold_labels
from mollia_cli.project.learner import finished_rounds, learner_kind, new_learner
from mollia_cli.project.members import certain
from mollia_cli.project.observe import read
from mollia_cli.project.panel import fit_together, panel_annotators
from mollia_cli.stopping import STOPPING
from mollia_cli.strategies import STRATEGIES

TEXTS = 12  # that each LLM reads for the measurement
SPEED = 0.3  # how far a machine's speed may be from what a few seconds show of it
_JUDGED = 64  # texts on which the learner's speed in reading is measured
_CROSS_FITS = 6  # the aggregator itself, and five parts for its calibration


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity that is not known exactly: what is expected, and what it should lie between."""

    low: float
    expected: float
    high: float

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, factor: float, spread: float = 0.0) -> "Amount":
        """The amount ``factor`` times, where the factor itself may be off by the share ``spread``."""
        return Amount(self.low * factor * (1 - spread), self.expected * factor, self.high * factor * (1 + spread))


NOTHING = Amount(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a run costs: an LLM, the aggregator, training, the classifier's reading.

    tokens: those that count for a budget, which are what LLMs read and answer as annotators.
    """

    name: str
    tokens: Amount
    seconds: Amount


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is left of a run: ``rounds`` to do, and what they cost.

    disk: bytes that they add to the project; busy: cores that other programs used while it was measured.
    """

    run: str
    rounds: int
    parts: tuple[Part, ...]
    disk: Amount
    busy: float = 0.0

    @property
    def tokens(self) -> Amount:
        """Tokens that the LLMs decode as annotators."""
        return sum((part.tokens for part in self.parts), NOTHING)

    @property
    def seconds(self) -> Amount:
        """Wall-clock of everything."""
        return sum((part.seconds for part in self.parts), NOTHING)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is left to do. Items that later rounds select are not chosen yet: only their number is known."""

    setup: RunConfig
    done: int
    rounds: int
    future: int
    selected: int


def estimate(project: Project, name: str = "", texts: int = TEXTS, **changes: Any) -> Estimate:
    """Measure and reckon what ``mollia run`` with the same options still costs; the run is not started.

    Raises InputError without seed labels or a pool.
    """
    run, setup = planned_run(project, name, **changes)
    project = as_opened(project, setup)
    if not project.store.items.ids("seed", labelled=True) or not project.store.items.ids("pool"):
        raise InputError(
            "there is nothing to measure on yet", "import texts --split pool and labelled ones --split seed"
        )
    plan = _plan(project, run, setup)
    if not plan.rounds:
        return Estimate(run, 0, (), NOTHING)
    others = Others()
    panel = [] if certain(project.panel) else _panel(project, plan, run, texts)
    verdicts = [_aggregator(project, plan)] if panel else []
    parts = (*panel, *verdicts, *_learner(project, plan, run))
    return Estimate(run, plan.rounds, parts, _disk(project, plan, len(panel)), others.cores())


def _plan(project: Project, run: str, setup: RunConfig) -> _Plan:
    records = project.store.runs.rounds(run)
    selected = len(project.store.runs.selections(run))
    done = sum(record.metrics is not None for record in records)
    rounds = max(0, setup.rounds + 1 - done)
    selecting = max(0, setup.rounds + 1 - max(len(records), 1))
    left = len(project.store.items.ids("pool")) - selected
    return _Plan(setup, done, rounds, min(selecting * setup.batch, left), selected)


def _panel(project: Project, plan: _Plan, run: str, texts: int) -> list[Part]:
    chosen = [selection.item_id for selection in project.store.runs.selections(run)]
    return list(_llms(project, plan, chosen, texts))


def _llms(project: Project, plan: _Plan, chosen: Sequence[str], texts: int) -> Iterable[Part]:
    """One part for each LLM: it reads some of the texts that it would have to read, the load timed apart."""
    seeds = {item.id for item in fit_seeds(project)}
    known = list(dict.fromkeys([*needed_for_fit(project), *chosen]))
    pool = project.store.items.ids("pool")
    share_new = 1.0 - len(set(known) & set(pool)) / max(len(pool), 1)
    annotators = panel_annotators(project, plan.setup.cascade)
    loads = 1 if fit_together(annotators) else plan.rounds
    for place, annotator in enumerate(annotators):
        key = project.store.observations.register(annotator.name, annotator.identity)
        missing = project.store.observations.missing(key, known)
        items = project.store.items.get(missing or known)
        alike = [item for item in items if annotator.half_of(item) == annotator.half_of(items[0])]  # one shared prefix
        sample = _spread_by_length(alike, texts + 1)
        load, rate = _read(project, annotator, key, [item.id for item in sample if item.id in set(missing)])
        tokens = _tokens_per_text(project, key, sample)
        missing = project.store.observations.missing(key, missing)
        surely = [item_id for item_id in missing if item_id in seeds or not place or not plan.setup.cascade]
        perhaps = len(missing) - len(surely)
        later = plan.future * share_new
        doubtful = perhaps + later if place and plan.setup.cascade else 0.0
        certain = len(surely) + (0.0 if doubtful else later)
        wanted = Amount(certain, certain + doubtful / 2, certain + doubtful)
        amount = Amount(wanted.low * tokens.low, wanted.expected * tokens.expected, wanted.high * tokens.high)
        loading = Amount(load, load, load).times(loads if wanted.high else 0, SPEED)
        yield Part(annotator.name, amount, amount.times(1 / rate if rate else 0.0, SPEED) + loading)


def _spread_by_length(items: Sequence[Item], n: int) -> list[Item]:
    """At most n items, evenly spread over the order of their lengths, so that their mean is near that of all."""
    ordered = sorted(items, key=lambda item: (len(item.text), item.id))
    rows = {int((place + 0.5) / n * len(ordered)) for place in range(n)} if ordered else set()
    return [ordered[row] for row in sorted(rows)]


def _read(project: Project, annotator: Annotator, key: str, ids: Sequence[str]) -> tuple[float, float]:
    """(seconds to load, tokens a second) of an LLM that reads the items; what it says of them is stored."""
    store = project.store.observations
    if not ids:
        stored = next(row for row in store.summary() if row["key"] == key)
        return 0.0, (stored["tokens"] or 0) / stored["seconds"] if stored["seconds"] else 0.0
    spent = []
    try:
        for part in filter(None, (ids[:1], ids[1:])):
            begin = perf_counter()
            read(project, annotator, key, part, store)
            spent.append(perf_counter() - begin)
    finally:
        annotator.close()
    tokens = store.tokens_by_item([key], ids)
    first, later = tokens[ids[0]], sum(tokens[item_id] for item_id in ids[1:])
    rate = later / spent[1] if len(ids) > 1 and spent[1] else (first + later) / max(spent[0], 1e-9)
    return max(0.0, spent[0] - first / rate) if rate else spent[0], rate


def _tokens_per_text(project: Project, key: str, items: Sequence[Item]) -> Amount:
    """Mean tokens of the texts, and two standard errors around it."""
    seen = project.store.observations.get(key, [item.id for item in items])
    tokens = np.array([seen[item.id].tokens for item in items if item.id in seen], dtype=np.float64)
    error = 2 * float(tokens.std(ddof=1)) / np.sqrt(len(tokens)) if len(tokens) > 1 else 0.0
    mean = float(tokens.mean()) if len(tokens) else 0.0
    return Amount(max(0.0, mean - error), mean, mean + error)


def _aggregator(project: Project, plan: _Plan) -> Part:
    """Fits on made-up observations of as many seed and unlabelled items, LLMs and labels as the run has."""
    kind = AGGREGATORS.load(plan.setup.aggregator)
    seeds = len(fit_seeds(project))
    lengths = len(plan.setup.cascade) or 1
    names = tuple(m.name for m in panel_annotators(project, plan.setup.cascade))
    rows = len(needed_for_fit(project)) + plan.selected + plan.future // 2
    rng = stream(project.settings.random_seed, "estimate")
    z = rng.dirichlet(np.ones(len(project.labels)), (seeds + rows, len(names)))
    made = Panel(tuple(map(str, range(len(z)))), names, np.log(z + 1e-9), z)
    begin = perf_counter()
    kind().fit(made.take(range(seeds)), rng.integers(0, len(project.labels), seeds), made.take(range(seeds, len(z))))
    fits = (_CROSS_FITS if kind.learns else 1) * lengths * max(1, plan.rounds - (plan.done == 0))
    once = perf_counter() - begin
    return Part(plan.setup.aggregator, NOTHING, Amount(once, once, once).times(fits, SPEED))


def _learner(project: Project, plan: _Plan, run: str) -> list[Part]:
    seed = project.store.items.in_split("seed", labelled=True)
    gold = Examples.gold([item.text for item in seed], gold_labels(seed), len(project.labels))
    return _frozen(project, plan, gold) if learner_kind(project).frozen else _tuned(project, plan, run, gold)


def _frozen(project: Project, plan: _Plan, gold: Examples) -> list[Part]:
    """Reading each text once, measured on some that are read anyway; and a fit a round, measured on the seeds."""
    learner = new_learner(project)
    learner.fit(gold, take(gold, []), 0.0, 0, project.progress)
    once = learner.fit(gold, take(gold, []), 0.0, 0).seconds  # nothing is read for it any more
    items = [item for split in ("pool", "test") for item in project.store.items.in_split(split)]
    unread = learner.unread([item.text for item in items])
    some = unread[:: max(1, len(unread) // _JUDGED)]  # of all lengths, as they are in their order
    begin = perf_counter()
    learner.predict_proba(some)
    left = (len(unread) - len(some)) * (perf_counter() - begin) / max(len(some), 1)
    fits = sum(_examples(project, plan, plan.done + number) / len(gold.texts) for number in range(plan.rounds))
    return [
        Part("training", NOTHING, Amount(once, once, 2 * once).times(fits, SPEED)),
        Part("reading", NOTHING, Amount(left, left, left).times(1.0, SPEED)),
    ]


def _tuned(project: Project, plan: _Plan, run: str, gold: Examples) -> list[Part]:
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
    pool = _spread_by_length(project.store.items.in_split("pool"), _JUDGED)
    learner.predict_proba([item.text for item in pool[:8]])  # the first call casts the weights
    begin = perf_counter()
    learner.predict_proba([item.text for item in pool])
    reading = (perf_counter() - begin) / len(pool)
    training, read = NOTHING, 0.0
    for number in range(plan.done, plan.done + plan.rounds):
        examples = _examples(project, plan, number)
        epochs = _epochs(project, plan, run, examples)
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


def _examples(project: Project, plan: _Plan, number: int) -> int:
    """What a round trains on, about: seeds, selected items and (method distil) whatever else has a verdict."""
    seeds = len(project.store.items.ids("seed", labelled=True))
    verdicts = number * plan.setup.batch
    if plan.setup.method == DISTIL and number:
        unread = embedded_alone(project, AGGREGATORS.load(plan.setup.aggregator), ())
        verdicts += project.settings.aggregate.unlabelled + len(unread)
    return int(seeds + min(verdicts, len(project.store.items.ids("pool"))))


def _epochs(project: Project, plan: _Plan, run: str, examples: int) -> Amount:
    """As many as the run's rounds took so far; before that from just past the patience to all of them."""
    settings = project.settings.learner
    most = fewer_epochs(project, examples) if plan.setup.method == DISTIL else settings.epochs
    seen = [(record.metrics or {}).get("epochs", most) for record in finished_rounds(project, run)]
    least = min(settings.patience + 1, most)
    return Amount(least, min(float(np.mean(seen)), most) if seen else (least + most) / 2, most)


def _validation(project: Project, examples: int) -> float:
    settings = project.settings.learner
    gold = len(project.store.items.ids("validation", labelled=True))
    return float(min(gold or settings.validation * examples, settings.validation_cap))


def _texts_read(project: Project, plan: _Plan, number: int) -> float:
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

    return {PROBABILITIES: 1, EMBEDDINGS: 1, DROPOUT: DROPOUT_SAMPLES, PERTURBED: NOISES}


def _disk(project: Project, plan: _Plan, annotators: int) -> Amount:
    """Models (one a round is kept), observations and verdicts."""
    folder = models.resolve_encoder(project.settings.learner.encoder)
    model = sum(path.stat().st_size for path in folder.glob("*.safetensors")) or sum(
        path.stat().st_size for path in folder.iterdir() if path.is_file()
    )
    row = 24 * len(project.labels) + 150  # two numbers a label and what stands beside them
    items = len(needed_for_fit(project)) + plan.future
    stored = row * items * (annotators + plan.rounds)
    return Amount(model, model, model).times(plan.rounds, 0.1) + Amount(0.5 * stored, stored, 2 * stored)
