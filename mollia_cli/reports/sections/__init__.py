"""The sections of a report: one file each, from records to blocks."""

from mollia_cli.domain.report import Report
from mollia_cli.reports.blocks import Chart, Gallery, Section
from mollia_cli.reports.sections.cards import data_card, model_card
from mollia_cli.reports.sections.confusion import confusion
from mollia_cli.reports.sections.cost import cost
from mollia_cli.reports.sections.examples import examples
from mollia_cli.reports.sections.learning import learning
from mollia_cli.reports.sections.panel import panel
from mollia_cli.reports.sections.provenance import provenance
from mollia_cli.reports.sections.reliability import reliability
from mollia_cli.reports.sections.summary import summary

SECTIONS = (summary, learning, panel, reliability, confusion, examples, cost, data_card, model_card, provenance)


def sections(report: Report) -> list[Section]:
    """All of them, in the order of the page."""
    return [section(report) for section in SECTIONS]


def charts(report: Report) -> list[Chart]:
    """Every chart of the page; their names are unique."""
    found: list[Chart] = []
    for section in sections(report):
        for block in section.blocks:
            found += [block] if isinstance(block, Chart) else block.charts if isinstance(block, Gallery) else []
    return found
