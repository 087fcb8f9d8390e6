"""``mollia aggregate`` and ``mollia aggregators``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mollia_cli.aggregators import AGGREGATORS, DEFAULT
from mollia_cli.cli import complete
from mollia_cli.cli.common import (
    JsonlOption,
    JsonOption,
    ProjectOption,
    emit_json,
    emit_records,
    open_project,
    read_ids,
    talk,
)

if TYPE_CHECKING:
    from mollia_cli.workflow.aggregate import Conclusion


def aggregate(
    ids: Annotated[
        str, typer.Argument(help="A file of ids, or - for standard input. Default: every annotated pool item.")
    ] = "",
    with_: Annotated[
        str, typer.Option("--with", help="The aggregator. Default: the project's.", autocompletion=complete.aggregators)
    ] = "",
    target_precision: Annotated[
        float | None, typer.Option(help="Say from which confidence on verdicts are right so often.", min=0.0, max=1.0)
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonlOption = False,
) -> None:
    """Conclude one label from what the LLMs said.

    The aggregator is fitted on the seed labels, and its confidence calibrated on them.
    Each record has the label, its confidence, the labels that no LLM believes in, and with a target
    precision whether it is sure. --json adds how the verdicts came about.

    Example: mollia aggregate --target-precision 0.95 --jsonl | jq -r 'select(.sure | not) | .id'
    """
    from mollia_cli.workflow.aggregate import aggregate as conclude

    with open_project(project) as opened:
        done = conclude(opened, with_, read_ids(ids) if ids else None, target_precision)
        names = opened.labels.names
    threshold = done.threshold
    records = [
        {
            "id": verdict.item_id,
            "label": names[verdict.label],
            "confidence": round(verdict.confidence, 6),
            "negatives": [names[k] for k in verdict.negatives],
            **({} if threshold is None else {"sure": verdict.confidence >= threshold.confidence}),
        }
        for verdict in done.verdicts
    ]
    columns = ["id", "label", "confidence", "negatives", *(["sure"] if threshold else [])]
    if as_json:
        emit_json({**_account(done), "verdicts": records})
    else:
        emit_records(records, columns, as_jsonl=as_jsonl)
    _remark(done, target_precision)


def _account(done: "Conclusion") -> dict[str, Any]:
    """How the verdicts came about, as a JSON-ready object."""
    fit, rule, calibration, threshold = done.fitted.fit, done.negatives, done.fitted.calibration, done.threshold
    account: dict[str, Any] = {
        "aggregator": fit.aggregator,
        "seed_items": fit.seed_items,
        "unlabelled_items": fit.pool_items,
        "calibration": None,
        "negatives": {
            "delta": rule.delta,
            "false_negative_rate": rule.false_negatives if rule.items else None,
            "measured_on": rule.items,
            "bound": rule.bound,
        },
    }
    if calibration is not None:
        account["calibration"] = {
            "temperature": round(calibration.temperature, 4),
            "ece": round(calibration.ece, 6),
            "ece_before": round(calibration.raw_ece, 6),
        }
    if threshold is not None:
        account["target"] = {
            "threshold": threshold.confidence,
            "precision": round(threshold.precision, 6),
            "coverage": round(threshold.coverage, 6),
            "below": done.below,
        }
    return account


def _remark(done: "Conclusion", target: float | None) -> None:
    fit, rule, threshold = done.fitted.fit, done.negatives, done.threshold
    talk(
        f"{len(done.verdicts)} verdicts by {fit.aggregator}"
        f" ({fit.seed_items} seed items, {fit.pool_items} unlabelled ones)"
    )
    measured = (
        f"; the true label is one for {rule.false_negatives:.1%} of {rule.items} seed items" if rule.items else ""
    )
    promised = "" if rule.bound is None else f", at most {rule.bound:.1%} expected of new ones"
    talk(f"negative labels: every LLM below {rule.delta:.4g}{measured}{promised}")
    if threshold is not None:
        talk(
            f"precision {target:g} from confidence {threshold.confidence:.4f} on: {threshold.coverage:.1%} of the"
            f" verdicts; {done.below} fall below"
        )
        if done.below:
            talk(f"  for people: mollia review --below {threshold.confidence:.4f}")


def aggregators(as_json: JsonOption = False, as_jsonl: JsonlOption = False) -> None:
    """List the aggregators, each with its source, and which one a new project uses.

    Example: mollia aggregators
    """
    records = [{"name": name, "default": name == DEFAULT, "summary": AGGREGATORS.summary(name)} for name in AGGREGATORS]
    emit_records(records, ["name", "default", "summary"], as_json, as_jsonl)
