"""``mollia compare``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mollia_cli.cli.chart import curve_lines
from mollia_cli.cli.common import JsonOption, ProjectOption, emit, emit_json, open_project, out_option, table, talk

if TYPE_CHECKING:
    from mollia_cli.domain.report import Point


def compare(
    runs: Annotated[list[str] | None, typer.Argument(help="Runs. Default: all of them.")] = None,
    out: Annotated[str, out_option("Write the learning curves to this file, as SVG.")] = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the learning curves of runs.

    As tables, and each curve as bars that begin at 0. Repeats of a run (mollia run --repeats) are one curve: mean ±
    standard deviation, which one run has not. They share the seed set: what other seeds would change is not in it.

    Example: mollia compare coreset random -o curves.svg
    """
    from mollia_cli.insight.compare import compare as read_curves
    from mollia_cli.reports.curves import Line, curves_svg

    with open_project(project) as opened:
        curves = read_curves(opened, runs or [])
    if out:
        lines = [Line(c.name, [(p.labelled, p.mean, p.std) for p in c.points], c.items) for c in curves]
        metrics = sorted({curve.metric for curve in curves})
        drawn = curves_svg(lines, "Learning curves", "labelled items", ", ".join(metrics))
        Path(out).write_text(drawn, encoding="utf-8")
        talk(f"the curves are in {out}")
    if as_json:
        emit_json({"curves": [asdict(curve) for curve in curves]})
        return
    table(
        ["run", "strategy", "annotator", "aggregator", "method", "repeats", "rounds", "measured by"],
        [[c.name, c.strategy, c.annotator, c.aggregator, c.method, c.repeats, len(c.points), c.metric] for c in curves],
    )
    by_labelled = [{point.labelled: point for point in curve.points} for curve in curves]
    rows = [
        [labelled, *(_cell(points.get(labelled)) for points in by_labelled)]
        for labelled in sorted({labelled for points in by_labelled for labelled in points})
    ]
    table(["labelled", *(curve.name for curve in curves)], rows)
    for line in curve_lines(curves):
        emit(line)


def _cell(point: "Point | None") -> str:
    if point is None:
        return ""
    return f"{point.mean:.3f}" if point.std is None else f"{point.mean:.3f} ± {point.std:.3f}"
