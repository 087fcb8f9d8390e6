"""``mollia estimate``: what a run will cost on this machine, from a short measurement.

Each LLM and each encoder that stays as it is reads a few of the texts that the run needs anyway (they are stored), the
classifier is fitted or trained for two epochs, and the aggregator is fitted on made-up observations of the right size.
What cannot be known, above all how many epochs early stopping will take, becomes a range.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.annotators.base import Annotator
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Panel, Texts
from mollia_cli.domain.processor import Others
from mollia_cli.domain.rng import stream
from mollia_cli.domain.settings import DISTIL, RunConfig
from mollia_cli.loop.aggregate import embedded_alone
from mollia_cli.loop.amounts import NOTHING, SPEED, Amount, Part, Plan, spread_by_length
from mollia_cli.loop.estimate_classifier import classifier_cost
from mollia_cli.loop.needed import fit_seeds, needed_for_fit
from mollia_cli.loop.setup import as_opened, began_without, planned_run
from mollia_cli.loop.shots import readings, tried_on
from mollia_cli.project.context import Project
from mollia_cli.project.encoders import panel_texts
from mollia_cli.project.members import certain
from mollia_cli.project.observe import read
from mollia_cli.project.panel import fit_together, panel_annotators, undecided
from mollia_cli.project.workers import speed_up

TEXTS = 12  # that each LLM reads for the measurement
_CROSS_FITS = 6  # the aggregator itself, and five parts for its calibration


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
    closed = began_without(project, run)
    keys = [] if changes.get("paper") or not setup.rounds else [key for key in undecided(project) if key not in closed]
    panel = [] if certain(project.panel) else list(_llms(project, plan, texts, readings(project, keys)))
    verdicts = [_aggregator(project, plan)] if panel else []
    learner, kept = classifier_cost(project, plan)
    parts = (*panel, *verdicts, *learner)
    return Estimate(run, plan.rounds, parts, kept + _disk(project, plan, len(panel)), others.cores())


def _plan(project: Project, run: str, setup: RunConfig) -> Plan:
    records = project.store.runs.rounds(run)
    selected = len(project.store.runs.selections(run))
    done = sum(record.metrics is not None for record in records)
    rounds = max(0, setup.rounds + 1 - done)
    selecting = max(0, setup.rounds + 1 - max(len(records), 1))
    left = len(project.store.items.ids("pool")) - selected
    return Plan(run, setup, done, rounds, min(selecting * setup.batch, left), selected)


def _llms(project: Project, plan: Plan, texts: int, times: tuple[int, int]) -> Iterable[Part]:
    """One part for each LLM: it reads some of the texts that it would have to read, the load timed apart.

    times: how often the seeds are read to choose what the prompt has, at least and at most. As nothing is chosen yet
    they are read now; with the second prompt in any case, and with each later one if more examples help.
    """
    least, most = times
    seeds = {item.id for item in fit_seeds(project)}
    chosen = [selection.item_id for selection in project.store.runs.selections(plan.run)]
    known = list(dict.fromkeys([*needed_for_fit(project), *chosen]))
    annotators = panel_annotators(project, plan.setup.cascade)
    loads = 1 if fit_together(annotators) else plan.rounds
    for place, annotator in enumerate(annotators):
        key = project.store.observations.register(annotator.name, annotator.identity)
        missing = project.store.observations.missing(key, known)
        tried = tried_on(project) if least and "prompt" in annotator.identity else []
        unread = set(missing)
        items = project.store.items.get([item_id for item_id in tried or known if item_id in unread] or tried or known)
        alike = [item for item in items if annotator.half_of(item) == annotator.half_of(items[0])]  # one shared prefix
        sample = spread_by_length(alike, texts + 1)
        load, rate = _read(project, annotator, key, [item.id for item in sample if item.id in unread])
        tokens = _tokens_per_text(project, key, sample)
        missing = project.store.observations.missing(key, missing)
        surely = [item_id for item_id in missing if item_id in seeds or not place or not plan.setup.cascade]
        perhaps = len(missing) - len(surely)
        later = plan.future * _share_new(project, chosen)
        doubtful = perhaps + later if place and plan.setup.cascade else 0.0
        certain = len(surely) + (0.0 if doubtful else later)
        if tried:
            certain, doubtful = certain + (least - 1) * len(tried), doubtful + (most - least) * len(tried)
        wanted = Amount(certain, certain + doubtful / 2, certain + doubtful)
        amount = Amount(wanted.low * tokens.low, wanted.expected * tokens.expected, wanted.high * tokens.high)
        loading = Amount(load, load, load).times(loads + most if wanted.high else 0, SPEED)
        rate *= speed_up(project, annotator, annotators, missing)
        yield Part(annotator.name, amount, amount.times(1 / rate if rate else 0.0, SPEED) + loading)


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


def _aggregator(project: Project, plan: Plan) -> Part:
    """Fits on made-up observations and embeddings of as many items, LLMs and labels as the run has."""
    kind = AGGREGATORS.load(plan.setup.aggregator)
    seeds = len(fit_seeds(project))
    names = tuple(m.name for m in panel_annotators(project, plan.setup.cascade))
    read = len(needed_for_fit(project)) + plan.selected + plan.future // 2
    alone = len(embedded_alone(project, kind, set(needed_for_fit(project))))
    rng = stream(project.settings.random_seed, "estimate")
    z = rng.dirichlet(np.ones(len(project.labels)), (seeds + read + alone, len(names)))
    seen = np.log(z + 1e-9)
    seen[seeds + read :] = np.nan
    texts = panel_texts(project) if kind.reads else None
    made = Panel(tuple(map(str, range(len(z)))), names, seen, z, texts=texts and _made_up(project, texts, len(z), rng))
    spent = []
    for _ in range(2 if texts else 1):  # what it makes of the texts serves all of its fits
        begin = perf_counter()
        labels = rng.integers(0, len(project.labels), seeds)
        kind().fit(made.take(range(seeds)), labels, made.take(range(seeds, len(z))))
        spent.append(perf_counter() - begin)
    once = spent[0] + ((_CROSS_FITS - 1) * spent[-1] if kind.learns else 0.0)
    # what was aggregated once is read from the store until something new is annotated
    new = plan.setup.method != DISTIL or _share_new(project) > 0
    times = (len(plan.setup.cascade) or 1) * (max(1, plan.rounds - (plan.done == 0)) if new else 1)
    return Part(plan.setup.aggregator, NOTHING, Amount(once, once, once).times(times, SPEED))


def _made_up(project: Project, texts: Texts, n: int, rng: np.random.Generator) -> Texts:
    """Embeddings of n made-up texts, of the same sizes."""
    one = project.store.items.ids("seed", labelled=True)[:1]
    rows = {name: rng.normal(size=(n, *texts.read(name, one).shape[1:])).astype(np.float32) for name in texts.encoders}
    return Texts(texts.encoders, lambda name, ids: rows[name][[int(row) for row in ids]])


def _share_new(project: Project, chosen: Sequence[str] = ()) -> float:
    """The share of the pool that is neither annotated for the aggregator anyway nor ``chosen``."""
    pool = project.store.items.ids("pool")
    return 1.0 - len({*needed_for_fit(project), *chosen}.intersection(pool)) / max(len(pool), 1)


def _disk(project: Project, plan: Plan, annotators: int) -> Amount:
    """Observations and verdicts."""
    row = 24 * len(project.labels) + 150  # two numbers a label and what stands beside them
    items = len(needed_for_fit(project)) + plan.future
    stored = row * items * (annotators + plan.rounds)
    return Amount(0.5 * stored, stored, 2 * stored)
