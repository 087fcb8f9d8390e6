"""How well confidences are calibrated."""

from mollia_cli.domain.report import Measurement, Missing, Report
from mollia_cli.reports.blocks import Advice, Block, Gallery, Section, Table, Words
from mollia_cli.reports.reliability import reliability_chart

_EXPLAINED = (
    "Of labels with confidence 0.8, 8 in 10 should be correct. Points show the accuracy of labels of about the same"
    " confidence, with 95% intervals; on the dashed line accuracy equals confidence, below it the confidence is too"
    " high. The bars show how many labels there are. ECE is the mean gap, weighted by their number,"
    " less the gap that chance alone makes among so few."
)


def reliability(report: Report) -> Section:
    """A diagram for everything that was measured, and the ECE of each."""
    found = [m for m in report.measurements if isinstance(m, Measurement)]
    missing = [Advice(m.message, m.hint) for m in _different(report)]
    if not found:
        return Section("reliability", "Reliability", missing)
    rows = [[f"{m.who}, {m.on}", m.items, m.accuracy, m.ece, m.ece_before, m.temperature] for m in found]
    columns = ["measured", "labels", "accuracy", "ECE", "ECE uncalibrated", "temperature"]
    diagrams = Gallery([reliability_chart(m) for m in found])
    blocks: list[Block] = [Words(_EXPLAINED), diagrams, Table("Calibration", columns, rows), *missing]
    return Section("reliability", "Reliability", blocks)


def _different(report: Report) -> list[Missing]:
    return list(dict.fromkeys(m for m in report.measurements if isinstance(m, Missing)))
