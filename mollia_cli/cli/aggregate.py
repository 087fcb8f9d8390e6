"""``mollia aggregate``."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mollia_cli.cli.common import (
    JsonLinesOption,
    ProjectOption,
    by_label,
    check_cascade,
    emit_json,
    emit_stream,
    excluded,
    one_label_only,
    open_project,
    read_ids,
    split_names,
    table,
    talk,
)
from mollia_cli.cli.run_options import AggregatorOption, CascadeOption, ThresholdOption
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count

if TYPE_CHECKING:
    from mollia_cli.aggregators.negatives import NegativeRule
    from mollia_cli.domain.verdicts import Verdict
    from mollia_cli.loop.aggregate import Aggregated
    from mollia_cli.project.context import Project

_COLUMNS = ["id", "label", "confidence", "negatives"]


def aggregate(
    ids: Annotated[
        str, typer.Argument(help="A file of ids, or - for standard input. Default: every annotated pool item.")
    ] = "",
    aggregator: AggregatorOption = "",
    target_precision: Annotated[
        float | None,
        typer.Option(help="Choose the threshold at which verdicts have this accuracy.", min=0.0, max=1.0),
    ] = None,
    confidence_level: Annotated[
        float | None,
        typer.Option(
            help="How often, over seed sets, the target precision has to be kept. Default: 0.8.", min=0.0, max=1.0
        ),
    ] = None,
    cascade: CascadeOption = None,
    threshold: ThresholdOption = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print one JSON object instead: how the verdicts came about.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Aggregate what the LLMs observed into one label for each text.

    The aggregator is fitted on the seed labels, and its confidence calibrated on them.
    Each record has the label, its confidence, the labels that the panel rules out, and with a target
    precision whether it is confident enough. --summary says how the verdicts came about.
    A target precision is a promise about the pool that the seeds are a random sample of: at a confidence level of
    0.8, at most one seed set in five breaks it. Where the seeds are too few for it, that is an error that says how
    many more labels would do.
    Where a text may have several labels, each record has those that apply, and every label's probability.
    With --cascade, a verdict is by the LLMs that have read the text; any that are still needed are asked.

    Example: mollia aggregate --target-precision 0.95 --json | jq -r 'select(.confident | not) | .id'
    """
    from mollia_cli.loop.aggregate import LEVEL
    from mollia_cli.loop.aggregate import aggregate as aggregate_items

    _check(bool(cascade), threshold, target_precision, confidence_level, summary, as_json)
    wanted = read_ids(ids) if ids else None
    if cascade:
        _cascade(project, split_names(cascade), threshold, wanted, aggregator, as_json)
        return
    level = LEVEL if confidence_level is None else confidence_level
    with open_project(project, several=True) as opened:
        if opened.settings.multilabel:
            one_label_only("--target-precision", target_precision is not None)
            one_label_only("--summary", summary)
            _sets(opened, aggregator, wanted, as_json)
            return
        done = aggregate_items(opened, aggregator, wanted, target_precision, level)
        names = opened.labels.names
    promised = done.threshold
    records = (
        _record(verdict, names) | ({} if promised is None else {"confident": verdict.confidence >= promised.confidence})
        for verdict in done.verdicts.rows()
    )
    if summary:
        emit_json(_account(done))
    else:
        emit_stream(records, [*_COLUMNS, *(["confident"] if promised else [])], as_json, by_label)
    _remark(done)


def _sets(project: "Project", aggregator: str, ids: list[str] | None, as_json: bool) -> None:
    from mollia_cli.insight.multilabel import set_record
    from mollia_cli.loop.multilabel import aggregate_sets

    found, fits = aggregate_sets(project, aggregator, ids)
    names = project.labels.names
    records = ({"id": item_id, **set_record(names, found, row)} for row, item_id in enumerate(found.ids))
    emit_stream(records, ["id", "labels", "probabilities", "confidence"], as_json, _by_applying)
    fit, each = fits[0].fit, found.labels.sum() / max(1, len(found.ids))
    talk(
        f"verdicts on {count(len(found.ids), 'text')} by {fit.aggregator} ({count(fit.seed_items, 'seed item')},"
        f" {fit.pool_items} unlabelled): {each:.2f} of {len(names)} labels a text"
    )


def _by_applying(records: Iterable[Mapping[str, Any]]) -> None:
    """A summary of many sets of labels: to how many texts each applies, and how probable it is there."""
    given: dict[str, list[float]] = {}
    texts = none = 0
    for record in records:
        texts, none = texts + 1, none + (not record["labels"])
        for name, probability in record["probabilities"].items():
            given.setdefault(name, []).extend([probability] * (name in record["labels"]))
    rows = [
        [name, len(seen), f"{len(seen) / texts:.1%}", sum(seen) / len(seen) if seen else None]
        for name, seen in given.items()
    ]
    table(["label", "texts", "share", "mean probability"], [*rows, ["(none)", none, f"{none / texts:.1%}", None]])


def _check(
    cascade: bool, threshold: float | None, target: float | None, level: float | None, summary: bool, as_json: bool
) -> None:
    """InputError for options that would have no effect."""
    check_cascade(cascade, threshold)
    if cascade and target is not None:
        excluded(
            "--cascade", "--target-precision", "a cascade has several aggregators, and a precision is promised of one"
        )
    if cascade and summary:
        excluded("--cascade", "--summary", "a cascade has several aggregators, and each its own account")
    if level is not None and target is None:
        raise InputError(
            "--confidence-level says how often --target-precision is kept, and that is not given",
            "add for example --target-precision 0.95",
        )
    if summary and as_json:
        excluded("--summary", "--json", "--json prints the verdicts, --summary how they came about")


def _cascade(
    folder: Path | None,
    order: list[str],
    threshold: float | None,
    ids: list[str] | None,
    aggregator: str,
    as_json: bool,
) -> None:
    from mollia_cli.loop.cascade import aggregate_cascade, stages_remark

    with open_project(folder) as opened:
        threshold = opened.settings.run.threshold if threshold is None else threshold
        done = aggregate_cascade(opened, order, threshold, ids, aggregator)
        names = opened.labels.names
    emit_stream([_record(verdict, names) for verdict in done.verdicts.rows()], _COLUMNS, as_json, by_label)
    talk(f"{count(len(done.verdicts), 'verdict')} by {done.fit.aggregator}; {stages_remark(done)}")


def _record(verdict: "Verdict", names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": verdict.item_id,
        "label": names[verdict.label],
        "confidence": round(verdict.confidence, 6),
        "negatives": [names[k] for k in verdict.negatives],
    }


def _account(done: "Aggregated") -> dict[str, Any]:
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
            "seeds": threshold.seeds,
            "seeds_right": threshold.right,
            "coverage": round(1 - done.below / len(done.verdicts), 6) if len(done.verdicts) else None,
            "below": done.below,
        }
    return account


def _remark(done: "Aggregated") -> None:
    fit, rule, threshold = done.fitted.fit, done.fitted.negatives, done.threshold
    talk(
        f"{count(len(done.verdicts), 'verdict')} by {fit.aggregator}"
        f" ({count(fit.seed_items, 'labelled item')}, {fit.pool_items} unlabelled ones)"
    )
    talk(f"negative labels: every LLM below {rule.delta:.4g}{_false_negatives(rule)}")
    if threshold is not None:
        talk(
            f"precision {threshold.target:g} from confidence {threshold.confidence:.4f} on, at a confidence level of"
            f" {threshold.level:g}: {threshold.right} of {threshold.seeds} seeds there are correct"
        )
        talk(f"  {len(done.verdicts) - done.below} of {count(len(done.verdicts), 'verdict')}; {done.below} fall below")
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
