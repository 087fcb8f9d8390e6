"""``mollia report panel``."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from mollia_cli.cli.common import JsonOption, ProjectOption, emit, emit_json, open_project, table
from mollia_cli.cli.people import show_people
from mollia_cli.domain.printable import count
from mollia_cli.domain.report import Agreement, Measurement, Missing
from mollia_cli.reports.words import AGREEMENT_EXPLAINED, accuracy_words

_COLUMNS = {
    "annotator": "member",
    "accuracy": "accuracy",
    "lower": "from",
    "upper": "to",
    "value": "adds",
    "value_lower": "from",
    "value_upper": "to",
    "coverage": "answered",
    "invalid": "invalid",
    "mass": "mass",
    "ece": "ECE",
    "observed": "observed",
    "tokens": "tokens",
    "seconds": "seconds",
    "memory_mb": "MB",
}


def panel(
    target_precision: Annotated[
        float, typer.Option(help="Check by people's labels verdicts that should have this accuracy.", min=0.0, max=1.0)
    ] = 0.95,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how good each member is, what it adds, what it costs, how far to trust verdicts, and what people changed.

    Accuracy (with its 95% interval from 10 items on), answers and calibration are measured on the seed items that
    were drawn at random or imported; "adds" is what the aggregator's cross-fitted accuracy loses without the member, an
    LLM or an encoder, with its 95% interval: where that holds 0, nothing is known to be gained or lost. An encoder
    answers nothing by itself. The last row is all of them together, cross-fitted.

    Example: mollia report panel
    """
    from mollia_cli.insight.report import panel_report

    with open_project(project) as opened:
        quality, verdicts, people = panel_report(opened, target_precision)
    if as_json:
        emit_json(
            asdict(quality) | {"aggregator": {"name": quality.aggregator, **asdict(verdicts)}, "people": asdict(people)}
        )
        return
    llms = quality.llms
    names = [llm.annotator for llm in llms]
    rows = [{name: getattr(llm, name) for name in _COLUMNS} for llm in llms]
    rows += [{"annotator": one.encoder, **asdict(one)} for one in quality.encoders]
    if isinstance(verdicts, Measurement):
        rows.append({"annotator": verdicts.who, **asdict(verdicts)})
    cells = [[row.get(name) for name in _COLUMNS] for row in rows]
    table(list(_COLUMNS.values()), cells, f"The panel on {quality.on}")
    if len(names) > 1:
        _show_agreement(names, quality.agreement)
    _show_verdicts(verdicts)
    show_people(people)


def _show_agreement(names: Sequence[str], agreement: Agreement) -> None:
    title = f"Agreement of pairs beyond chance (Cohen's kappa) on {count(agreement.items, 'item')}"
    numbers = [str(n) for n in range(1, len(names) + 1)]  # names as headings would not fit
    kappas = [[n, name, *row] for n, name, row in zip(numbers, names, agreement.cohen_kappa, strict=True)]
    table(["", "LLM", *numbers], kappas, title)
    alpha = agreement.krippendorff_alpha
    emit(f"Agreement of all (Krippendorff's alpha): {'undefined' if alpha is None else format(alpha, '.3f')}")
    emit(f"{AGREEMENT_EXPLAINED}\n")


def _show_verdicts(found: Measurement | Missing) -> None:
    if isinstance(found, Missing):
        emit(f"The verdicts are not measured: {found.message} (try: {found.hint})")
        return
    accuracy = accuracy_words(found.accuracy, found.items, found.lower, found.upper)
    emit(f"{found.who} on {found.on}: accuracy {accuracy}")
    rows = [
        [
            f"{b.lower:.1f} to {b.upper:.1f}",
            b.n,
            b.confidence,
            b.accuracy,
            "#" * round(20 * b.accuracy),
        ]
        for b in found.reliability
    ]
    before = "" if found.ece_before is None else f", {found.ece_before:.3f} before calibration"
    table(["confidence", "verdicts", "mean", "right", ""], rows, f"Reliability: ECE {found.ece:.3f}{before}")
