"""``mollia report``: what is known of the panel."""

from dataclasses import asdict, replace
from math import isfinite
from typing import Any

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.calibration import Calibration, reliability
from mollia_cli.aggregators.quality import (
    answers,
    krippendorff_alpha,
    marginal_values,
    member_quality,
    pairwise_kappa,
    wilson,
)
from mollia_cli.domain.observations import IntArray, Panel
from mollia_cli.domain.rng import stream_seed
from mollia_cli.workflow.aggregate import Fitted, fit_aggregator, observed_seeds
from mollia_cli.workflow.annotate import members, observed_by_all, stack
from mollia_cli.workflow.corrections import corrections
from mollia_cli.workflow.project import Project


def panel_report(project: Project, target_precision: float = 0.95) -> dict[str, Any]:
    """Every LLM on the seed items, what it cost, how the panel agrees, and how reliable the aggregator is.

    JSON-ready; None for what cannot be known. ``llms``: accuracy with its 95% interval, ``value``
    (cross-fitted accuracy of the project's aggregator with the whole panel, less that without this
    LLM), tokens and seconds of all its observations. ``agreement``: over all observed items of seed
    and pool. ``aggregator``: its cross-fitted verdicts on the seeds. ``people``: see ``corrections``.
    Seeds that were not annotated raise NotFoundError.
    """
    panel = members(project)
    pool_ids = observed_by_all(project, panel, project.store.items.ids("pool"))
    fitted = fit_aggregator(project, panel=panel, also=pool_ids)
    seed, gold = observed_seeds(project, fitted.panel)
    everything = stack(project, fitted.panel, [*seed.ids, *pool_ids])
    pool = everything.take(range(len(seed), len(everything)))
    costs = {row["key"]: row for row in project.store.observations.summary()}
    values = _values(project, fitted, seed, gold, pool)
    llms = [
        {
            **{name: _known(value) for name, value in asdict(quality).items()},
            "value": value,
            "observed": costs[member.key]["items"],
            "tokens": costs[member.key]["tokens"],
            "seconds": costs[member.key]["seconds"],
        }
        for member, quality, value in zip(fitted.panel, member_quality(seed, gold), values, strict=True)
    ]
    return {
        "llms": llms,
        "agreement": {
            "items": len(everything),
            "krippendorff_alpha": _known(krippendorff_alpha(answers(everything), everything.classes)),
            "cohen_kappa": [[_known(cell) for cell in row] for row in pairwise_kappa(everything).tolist()],
        },
        "aggregator": _aggregator(fitted.fit.aggregator, fitted.calibration, len(seed)),
        "people": corrections(project, target_precision),
    }


def _values(project: Project, fitted: Fitted, seed: Panel, gold: IntArray, pool: Panel) -> list[float | None]:
    """What each LLM adds to the aggregator; None for a panel of one, or too few seeds."""
    if len(fitted.panel) < 2 or len(seed) < 2:
        return [None] * len(fitted.panel)
    kind = AGGREGATORS.load(fitted.fit.aggregator)
    project.progress("leaving out each LLM", 0, 1)
    values = marginal_values(kind, seed, gold, pool, stream_seed(project.settings.seed, "aggregate", kind.name))
    project.progress("leaving out each LLM", 1, 1)
    return [*values]


def _aggregator(name: str, known: Calibration | None, n: int) -> dict[str, Any]:
    """On the n seeds, which stand first: what people have labelled since then was chosen for being doubtful."""
    if known is None:
        return {"name": name, "items": 0, "reliability": []}
    known = replace(known, raw=known.raw[:n], confidence=known.confidence[:n], right=known.right[:n])
    right = int(known.right.sum())
    lower, upper = wilson(right, n)
    return {
        "name": name,
        "items": n,
        "accuracy": right / n,
        "lower": lower,
        "upper": upper,
        "temperature": known.temperature,
        "ece": known.ece,
        "ece_before": known.raw_ece,
        "reliability": [asdict(b) for b in reliability(known.confidence, known.right)],
    }


def _known(value: Any) -> Any:
    """None for NaN, which JSON does not have."""
    return None if isinstance(value, float) and not isfinite(value) else value
