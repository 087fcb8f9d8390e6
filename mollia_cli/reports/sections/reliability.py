"""How far a confidence can be trusted."""

from mollia_cli.domain.report import Measurement, Missing, Report
from mollia_cli.reports.blocks import Advice, Block, Gallery, Section, Table, Words
from mollia_cli.reports.reliability import reliability_chart

_EXPLAINED = (
    "A label with confidence 0.8 should be right 8 times in 10. Points show how often labels of about the same"
    " confidence are right, with 95% intervals; on the dashed line, confidence is what it says. Below the line it says"
    " too much. The bars show how many labels there are. ECE is the mean gap, weighted by their number,"
    " less the gap that chance alone makes among so few."
)


def reliability(report: Report) -> Section:
    """A diagram for everything that was measured, and the ECE of each."""
    found = [m for m in report.measurements if isinstance(m, Measurement)]
    missing = [Advice(m.message, m.hint) for m in _different(report)]
    if not found:
        return Section("reliability", "Reliability", missing)
    rows = [[f"{m.who}, {m.on}", m.items, m.accuracy, m.ece, m.ece_before, m.temperature] for m in found]
    columns = ["measured", "labels", "right", "ECE", "ECE uncalibrated", "temperature"]
    diagrams = Gallery([reliability_chart(m) for m in found])
    blocks: list[Block] = [Words(_EXPLAINED), diagrams, Table("Calibration", columns, rows), *missing]
    return Section("reliability", "Reliability", blocks)


def _different(report: Report) -> list[Missing]:
    return list(dict.fromkeys(m for m in report.measurements if isinstance(m, Missing)))
