"""The panel's section, and its table in the terminal: LLMs, encoders, and all of them together."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mollia_cli.cli import report_panel
from mollia_cli.domain.report import Measurement, PanelQuality
from mollia_cli.reports.blocks import Table
from mollia_cli.reports.sections.panel import panel

from .samples import SCRIPT, STEERING, full_report


def test_encoders_and_the_aggregator_stand_below_the_llms() -> None:
    tables = [block for block in panel(full_report()).blocks if isinstance(block, Table)]
    (quality,) = [table for table in tables if table.caption.startswith("Each member")]
    assert [row[0] for row in quality.rows] == ["ada", SCRIPT, STEERING, "mini", f"seeds {SCRIPT} (all)"]
    assert list(quality.rows[2][1:]) == [None, "", 0.04, "0.010 to 0.070", None]
    assert list(quality.rows[3][3:5]) == [None, "unknown"]
    assert list(quality.rows[4][1:3]) == [0.75, "0.500 to 0.900"]


def test_the_terminals_table_has_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    report = full_report()
    found, seeds = report.panel, report.measurements[0]
    assert isinstance(found, PanelQuality) and isinstance(seeds, Measurement)

    @contextmanager
    def opened(project: Any) -> Iterator[None]:
        yield None

    shown: list[tuple[list[str], list[list[Any]], str]] = []
    monkeypatch.setattr(report_panel, "open_project", opened)
    monkeypatch.setattr(report_panel, "table", lambda *given: shown.append(given))
    monkeypatch.setattr("mollia_cli.insight.report.panel_report", lambda *_: (found, seeds, report.overview.people))
    report_panel.panel()
    columns, rows, title = shown[0]
    assert title == f"The panel on {found.on}" and columns[0] == "member"
    cells = [dict(zip(report_panel._COLUMNS, row, strict=True)) for row in rows]
    assert [row["annotator"] for row in cells] == ["ada", SCRIPT, STEERING, "mini", seeds.who]
    assert (cells[2]["accuracy"], cells[2]["value"], cells[2]["value_lower"]) == (None, 0.04, 0.01)
    assert (cells[4]["accuracy"], cells[4]["lower"], cells[4]["value"]) == (0.75, 0.5, None)
