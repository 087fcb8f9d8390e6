"""``mollia compare``: the learning curves of runs, with their spread over repeats."""

from collections.abc import Sequence

import numpy as np

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.report import Curve, Point
from mollia_cli.loop.run import repeat_name
from mollia_cli.project.context import Project
from mollia_cli.project.learner import run_config
from mollia_cli.project.members import certain
from mollia_cli.project.panel import labelled_by
from mollia_cli.store.runs import Round


def compare(project: Project, names: Sequence[str] = ()) -> list[Curve]:
    """The curves of the runs that are named, else of all; repeats belong to their run's curve.

    Raises NotFoundError for an unknown run.
    """
    repeat_of = {name: run_config(project, name).repeat for name in project.store.runs.names()}
    for name in names:
        if name not in repeat_of:
            known = ", ".join(sorted(repeat_of)) or "none yet"
            raise NotFoundError(f"there is no run {name!r}", f"runs: {known}; start one with `mollia run --run NAME`")
    wanted = names or sorted(name for name, repeat in repeat_of.items() if repeat == 1)
    curves = []
    for name in dict.fromkeys(wanted):
        repeats = [run for run, repeat in repeat_of.items() if run == name or run == repeat_name(name, repeat)]
        curves.append(_curve(project, name, [project.store.runs.rounds(run) for run in repeats]))
    return curves


def _curve(project: Project, name: str, repeats: Sequence[Sequence[Round]]) -> Curve:
    finished = [[record.metrics for record in rounds if record.metrics is not None] for rounds in repeats]
    finished = [rounds for rounds in finished if rounds]
    tested = all("test_micro_f1" in metrics for rounds in finished for metrics in rounds)
    metric = "test_micro_f1" if tested else "validation_f1"
    points = []
    for number in range(max(map(len, finished), default=0)):
        found = [rounds[number] for rounds in finished if len(rounds) > number and metric in rounds[number]]
        if found:
            values = np.array([metrics[metric] for metrics in found])
            known = [metrics["verdict_accuracy"] for metrics in found if "verdict_accuracy" in metrics]
            points.append(
                Point(
                    number,
                    round(float(np.mean([metrics["labelled"] for metrics in found]))),
                    tuple(values.tolist()),
                    float(values.mean()),
                    float(values.std(ddof=1)) if len(values) > 1 else None,
                    float(np.mean(known)) if known else None,
                )
            )
    config = run_config(project, name)
    trusted = certain(labelled_by(project, name).panel)
    return Curve(
        name,
        "" if trusted else config.method,
        config.strategy,
        "" if trusted else config.aggregator,
        config.annotator,
        len(finished),
        metric,
        project.store.items.counts().get("test", {}).get("labelled", 0) if tested else 0,
        tuple(points),
    )
