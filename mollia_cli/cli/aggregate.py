"""``mollia aggregate`` and ``mollia aggregators``."""

from pathlib import Path
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
    members,
    open_project,
    read_ids,
    split_names,
    talk,
)
from mollia_cli.cli.run_options import CascadeOption, ThresholdOption
from mollia_cli.domain.errors import InputError

if TYPE_CHECKING:
    from mollia_cli.aggregators.negatives import NegativeRule
    from mollia_cli.domain.verdicts import Verdict
    from mollia_cli.loop.aggregate import Conclusion

_COLUMNS = ["id", "label", "confidence", "negatives"]


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
    confidence_level: Annotated[
        float,
        typer.Option(help="How often, over seed sets, the target precision has to be kept.", min=0.0, max=1.0),
    ] = 0.8,
    cascade: CascadeOption = None,
    threshold: ThresholdOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonlOption = False,
) -> None:
    """Conclude one label from what the LLMs said.

    The aggregator is fitted on the seed labels, and its confidence calibrated on them.
    Each record has the label, its confidence, the labels that no LLM believes in, and with a target
    precision whether it is sure. --json adds how the verdicts came about.
    A target precision is a promise about the pool that the seeds are a random sample of: at a confidence level of
    0.8, at most one seed set in five breaks it. Where the seeds are too few for it, that is an error that says how
    many more labels would do.
    With da and pag, the LLMs first read variants of the labelled texts (pag: paraphrases, of all texts, which
    the largest LLM writes). They are kept, and a stop loses none.
    With --cascade, a text is judged by the LLMs that have read it; any that are still needed are asked.

    Example: mollia aggregate --target-precision 0.95 --jsonl | jq -r 'select(.sure | not) | .id'
    """
    from mollia_cli.loop.aggregate import aggregate as conclude

    wanted = read_ids(ids) if ids else None
    if cascade:
        if target_precision is not None:
            raise InputError("a target precision needs one aggregator, and a cascade has several", "leave one away")
        _cascade(project, split_names(cascade), threshold, wanted, with_, (as_json, as_jsonl))
        return
    with open_project(project) as opened:
        done = conclude(opened, with_, wanted, target_precision, confidence_level)
        names = opened.labels.names
    promised = done.threshold
    records = (
        _record(verdict, names) | ({} if promised is None else {"sure": verdict.confidence >= promised.confidence})
        for verdict in done.verdicts
    )
    columns = [*_COLUMNS, *(["sure"] if promised else [])]
    if as_json:
        emit_json({**_account(done), "verdicts": list(records)})
    else:
        emit_records(records, columns, as_jsonl=as_jsonl)
    _remark(done)


def _cascade(
    folder: Path | None,
    order: list[str],
    threshold: float | None,
    ids: list[str] | None,
    aggregator: str,
    style: tuple[bool, bool],
) -> None:
    from mollia_cli.loop.cascade import conclude_cascade, stages_said

    with open_project(folder) as opened:
        threshold = opened.settings.run.threshold if threshold is None else threshold
        done = conclude_cascade(opened, order, threshold, ids, aggregator)
        names = opened.labels.names
    emit_records([_record(verdict, names) for verdict in done.verdicts.values()], _COLUMNS, *style)
    talk(f"{len(done.verdicts)} verdicts by {done.fit.aggregator}; {stages_said(done)}")


def _record(verdict: "Verdict", names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": verdict.item_id,
        "label": names[verdict.label],
        "confidence": round(verdict.confidence, 6),
        "negatives": [names[k] for k in verdict.negatives],
    }


def _account(done: "Conclusion") -> dict[str, Any]:
    """How the verdicts came about, as a JSON-ready object."""
    fitted, threshold = done.fitted, done.threshold
    fit, rule, calibration = fitted.fit, fitted.negatives, fitted.calibration
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
            "chosen_on_them": rule.chosen,
        },
    }
    if calibration is not None:
        account["calibration"] = {
            "temperature": round(calibration.temperature, 4),
        }
    if threshold is not None:
        account["target"] = {
            "precision": threshold.target,
            "confidence_level": threshold.level,
            "threshold": threshold.confidence,
            "seeds": threshold.sure,
            "seeds_right": threshold.right,
            "coverage": round(1 - done.below / len(done.verdicts), 6) if done.verdicts else None,
            "below": done.below,
        }
    return account


def _remark(done: "Conclusion") -> None:
    fit, rule, threshold = done.fitted.fit, done.fitted.negatives, done.threshold
    talk(
        f"{len(done.verdicts)} verdicts by {fit.aggregator}"
        f" ({fit.seed_items} seed items, {fit.pool_items} unlabelled ones)"
    )
    talk(f"negative labels: every LLM below {rule.delta:.4g}{_false_negatives(rule)}")
    if threshold is not None:
        talk(
            f"precision {threshold.target:g} from confidence {threshold.confidence:.4f} on, at a confidence level of"
            f" {threshold.level:g}: {threshold.right} of the {threshold.sure} seeds there are right"
        )
        talk(f"  {len(done.verdicts) - done.below} of {len(done.verdicts)} verdicts; {done.below} fall below")
        if done.below:
            talk(f"  for people: mollia review --below {threshold.confidence:.4f}")


def _false_negatives(rule: "NegativeRule") -> str:
    if not rule.items:
        return ""
    measured = f"; the true label is one for {rule.false_negatives:.1%} of {rule.items} seed items"
    if not rule.chosen:
        return measured
    new = "an unknown share" if rule.bound is None else f"at most {rule.bound:.1%} on average over seed sets"
    return f"{measured}, which chose this; for {new} of new ones"


def aggregators(as_json: JsonOption = False, as_jsonl: JsonlOption = False) -> None:
    """List the aggregators, each with its source and package, and which one a new project uses.

    Example: mollia aggregators
    """
    records = [{**record, "default": record["name"] == DEFAULT} for record in members(AGGREGATORS)]
    emit_records(records, ["name", "default", "package", "summary"], as_json, as_jsonl)
