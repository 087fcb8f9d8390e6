"""How good each LLM of a panel is, what it adds and costs, and how the LLMs agree."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.quality import (
    answers,
    krippendorff_alpha,
    marginal_values,
    member_quality,
    pairwise_kappa,
)
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.observations import IntArray, Panel
from mollia_cli.domain.people import Corrections
from mollia_cli.domain.printable import count
from mollia_cli.domain.progress import step
from mollia_cli.domain.report import (
    LLM,
    Agreement,
    EncoderValue,
    Measurement,
    Missing,
    PanelQuality,
)
from mollia_cli.domain.rng import stream_seed
from mollia_cli.insight.corrections import corrections
from mollia_cli.insight.report.measurements import verdicts_on_seeds
from mollia_cli.insight.report.missing import or_missing
from mollia_cli.loop.aggregate import observed_seeds, some, with_unread
from mollia_cli.loop.sample import at_random, sample_words
from mollia_cli.project.context import Project
from mollia_cli.project.encoders import encoder_specs
from mollia_cli.project.observe import Member, members, observed_by_all, stack

Value = tuple[float | None, float | None, float | None]  # what a member adds, and the interval of it
_UNKNOWN: Value = (None, None, None)


def panel_report(
    project: Project, target_precision: float = 0.95
) -> tuple[PanelQuality, Measurement | Missing, Corrections]:
    """``mollia report panel``: the project's panel as it is now, its aggregator on the seeds, and ``corrections``."""
    panel, name = members(project), project.settings.aggregate.aggregator
    verdicts = or_missing(lambda: verdicts_on_seeds(project, panel, name))
    return panel_quality(project, panel, name), verdicts, corrections(project, target_precision)


def panel_quality(project: Project, panel: Sequence[Member], aggregator: str) -> PanelQuality:
    """Every LLM on the seeds that are a random sample, or without any on what it read of the pool.

    Its accuracy is not known there.

    Agreement is over those seeds and ``some`` of the observed pool. Raises NotFoundError where
    nothing was observed by the whole panel.
    """
    seed, gold = observed_seeds(project, panel)
    rows = at_random(project, seed.ids)
    pool = stack(project, panel, some(project, observed_by_all(project, panel, project.store.items.ids("pool"))))
    if not len(rows) and not len(pool):
        raise NotFoundError("no item was annotated by the whole panel yet", "mollia annotate")
    measured = seed.take(rows)
    everything = measured.joined(pool)
    kappa = pairwise_kappa(everything).tolist()
    values = _values(project, panel, aggregator, seed, gold, pool, rows)
    return PanelQuality(
        aggregator,
        sample_words(project, seed.ids) if len(rows) else count(len(pool), "pool item"),
        _llms(project, panel, measured, gold[rows], pool, values),
        tuple(EncoderValue(spec.name, *values.get(spec.name, _UNKNOWN)) for spec in encoder_specs(project)),
        Agreement(
            len(everything),
            _known(krippendorff_alpha(answers(everything), everything.classes)),
            tuple(tuple(_known(cell) for cell in row) for row in kappa),
        ),
    )


def _llms(
    project: Project,
    panel: Sequence[Member],
    seed: Panel,
    gold: IntArray,
    pool: Panel,
    values: Mapping[str, Value],
) -> tuple[LLM, ...]:
    costs = {row["key"]: row for row in project.store.observations.summary()}
    nobody_knows = np.full(len(pool), -1, dtype=np.int64)
    found = member_quality(seed, gold) if len(seed) else member_quality(pool, nobody_knows)
    unknown: dict[str, Any] = {} if len(seed) else dict.fromkeys(("accuracy", "lower", "upper", "ece"))
    return tuple(
        LLM(
            **{name: _known(value) for name, value in asdict(quality).items()} | unknown,
            value=values.get(member.name, _UNKNOWN)[0],
            value_lower=values.get(member.name, _UNKNOWN)[1],
            value_upper=values.get(member.name, _UNKNOWN)[2],
            observed=costs[member.key]["items"],
            tokens=costs[member.key]["tokens"],
            seconds=costs[member.key]["seconds"],
            memory=costs[member.key]["memory"],
        )
        for member, quality in zip(panel, found, strict=True)
    )


def _values(
    project: Project,
    panel: Sequence[Member],
    name: str,
    seed: Panel,
    gold: IntArray,
    pool: Panel,
    rows: IntArray,
) -> Mapping[str, Value]:
    """What each member adds to the aggregator, by name; nothing where nobody can be left out, or of too few seeds."""
    kind: type[Aggregator] = AGGREGATORS.load(name)
    reads = kind.reads and bool(encoder_specs(project))
    if (len(panel) < 2 and not reads) or len(set(gold.tolist())) < 2 or not len(rows):
        return {}
    pool = with_unread(project, kind, panel, pool, seed)
    random_seed = stream_seed(project.settings.random_seed, "aggregate", name)
    with step(project.progress, "leaving out each member"):
        return marginal_values(kind, seed, gold, pool, random_seed, rows)


def _known(value: Any) -> Any:
    """None for NaN, which JSON does not have."""
    return None if isinstance(value, float) and not isfinite(value) else value
