"""``mollia report``: what is worth knowing beside the labels."""

from typing import Annotated, Any

import typer

from mollia_cli.cli import report_detectors
from mollia_cli.cli.common import JsonOption, ProjectOption, emit, emit_json, open_project, table
from mollia_cli.cli.people import show_people

app = typer.Typer(no_args_is_help=True, help="Reports on what the project holds.")
app.command("detectors")(report_detectors.detectors)

_COLUMNS = {
    "annotator": "LLM",
    "accuracy": "accuracy",
    "lower": "from",
    "upper": "to",
    "value": "adds",
    "coverage": "answered",
    "invalid": "invalid",
    "mass": "mass",
    "ece": "ECE",
    "observed": "observed",
    "tokens": "tokens",
    "seconds": "seconds",
}


@app.command()
def panel(
    target_precision: Annotated[
        float, typer.Option(help="Check with people's labels verdicts that should be right so often.", min=0.0, max=1.0)
    ] = 0.95,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how good each LLM is, what it adds, what it costs, how far to trust verdicts, and what people changed.

    Accuracy (with its 95% interval), answers and calibration are measured on the seed items; "adds" is
    what the aggregator's cross-fitted accuracy loses without the LLM.

    Example: mollia report panel
    """
    from mollia_cli.workflow.report import panel_report

    with open_project(project) as opened:
        report = panel_report(opened, target_precision)
    if as_json:
        emit_json(report)
        return
    llms, agreement = report["llms"], report["agreement"]
    items = llms[0]["items"]
    table(list(_COLUMNS.values()), [[llm[name] for name in _COLUMNS] for llm in llms], f"LLMs on {items} seed items")
    names = [llm["annotator"] for llm in llms]
    title = f"Agreement of pairs beyond chance (Cohen's kappa) on {agreement['items']} items"
    kappas = zip(names, agreement["cohen_kappa"], strict=True)
    table(["", *names], [[name, *row] for name, row in kappas], title)
    alpha = agreement["krippendorff_alpha"]
    emit(f"Agreement of all (Krippendorff's alpha): {'undefined' if alpha is None else format(alpha, '.3f')}\n")
    _show_aggregator(report["aggregator"])
    show_people(report["people"])


def _show_aggregator(found: dict[str, Any]) -> None:
    if not found["items"]:
        emit(f"{found['name']} learns nothing from seed labels, so that its confidence is not measured.")
        return
    rows = [
        [
            f"{b['lower']:.1f} to {b['upper']:.1f}",
            b["n"],
            b["confidence"],
            b["accuracy"],
            "#" * round(20 * b["accuracy"]),
        ]
        for b in found["reliability"]
    ]
    emit(
        f"{found['name']}, cross-fitted on {found['items']} seed items: accuracy {found['accuracy']:.3f}"
        f" ({found['lower']:.3f} to {found['upper']:.3f})"
    )
    table(
        ["confidence", "verdicts", "mean", "right", ""],
        rows,
        f"Reliability: ECE {found['ece']:.3f}, {found['ece_before']:.3f} before calibration",
    )
