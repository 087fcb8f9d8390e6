"""Learning curves."""

from mollia_cli.domain.printable import count
from mollia_cli.domain.report import Curve, Missing, Report
from mollia_cli.reports.blocks import Advice, Block, Section, Table, Words
from mollia_cli.reports.curves import Line, curves_chart

METRICS = {"test_micro_f1": "test micro-F1", "validation_f1": "validation micro-F1"}


def learning(report: Report) -> Section:
    """All runs, their spread over repeats, the oracle's among them."""
    title = "Learning curves"
    if isinstance(report.curves, Missing):
        return Section("learning", title, [Advice(report.curves.message, report.curves.hint)])
    metrics = sorted({METRICS.get(curve.metric, curve.metric) for curve in report.curves})
    lines = [
        Line(_name(curve), [(p.labelled, p.mean, p.std) for p in curve.points], curve.items) for curve in report.curves
    ]
    blocks: list[Block] = [
        Words(_explained(report.curves)),
        curves_chart(lines, "Learning curves", "labelled items", ", ".join(metrics)),
        _runs(report.curves),
    ]
    if not any(curve.annotator == "oracle" for curve in report.curves):
        blocks.append(
            Advice(
                "What true labels would reach on the same budget is not known; where the pool has them:",
                "mollia run --run oracle --annotator oracle",
            )
        )
    return Section("learning", title, blocks)


def _name(curve: Curve) -> str:
    return f"{curve.name} (true labels)" if curve.annotator == "oracle" and curve.name != "oracle" else curve.name


def _explained(curves: tuple[Curve, ...]) -> str:
    most = max(curve.repeats for curve in curves)
    words = (
        "A point is a classifier, trained from its pretrained weights on the labels so far. The upright axis spans"
        " at least the 95% interval that the number of test items leaves (from 0 where there are none), so that"
        " what may be chance looks small."
    )
    if most > 1:
        words += f" The line is the mean over up to {most} repeats of a run, the band one standard deviation each way."
        words += " Repeats share the seed set: what other seeds would change is not in the band."
    else:
        words += " Each run was made once: its spread is not known (mollia run --repeats 5 shows it)."
    if any(not curve.metric.startswith("test") for curve in curves):
        words += (
            " Without test items, each round is measured on labels that were cut from its own, so that rounds"
            " can hardly be compared."
        )
    return words


def _runs(curves: tuple[Curve, ...]) -> Table:
    rows = [
        [
            curve.name,
            curve.strategy,
            curve.annotator,
            curve.aggregator or "none",
            curve.repeats,
            curve.points[-1].labelled,
            curve.points[-1].mean,
            curve.points[-1].std,
            curve.points[-1].verdicts,
        ]
        for curve in curves
    ]
    columns = [
        "run",
        "strategy",
        "labels by",
        "aggregator",
        "repeats",
        "labelled",
        "last mean",
        "std",
        "verdict accuracy",
    ]
    return Table(f"{count(len(curves), 'run')} at the last round", columns, rows)
