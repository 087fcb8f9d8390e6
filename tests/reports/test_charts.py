"""The charts: what stands where, as a file of its own too."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from mollia_cli.reports.bars import bars_chart
from mollia_cli.reports.blocks import Chart, Table
from mollia_cli.reports.dots import Dot, DotRow, dots_chart
from mollia_cli.reports.heatmap import Cell, Matrix, heatmap
from mollia_cli.reports.reliability import BOTTOM, LEFT, RIGHT, STRIP, TOP, WIDTH, reliability_chart
from mollia_cli.reports.sections import charts
from mollia_cli.reports.svg import standalone

from .samples import full_report, measurement

SVG = "{http://www.w3.org/2000/svg}"
NO_TABLE = Table("", [], [])
CHARTS = {chart.name: chart for chart in charts(full_report())}


def elements(chart: Chart, tag: str) -> Iterator[ET.Element]:
    yield from ET.fromstring(standalone(chart)).iter(f"{SVG}{tag}")


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_a_file_of_its_own(name: str) -> None:
    text = standalone(CHARTS[name])
    picture = ET.fromstring(text)
    assert picture.get("role") == "img"
    assert picture.findtext(f"{SVG}title") == ET.fromstring(standalone(CHARTS[name])).findtext(f"{SVG}title")
    assert picture.findtext(f"{SVG}desc")
    assert not re.search(r"<script|href|url\(|style=", text)
    assert "var(" not in text  # other programs know no style sheet


def test_the_names_are_files_names() -> None:
    assert list(CHARTS) == [
        *("curves", "accuracy", "kappa", "reliability-seeds", "reliability-pool", "reliability-test"),
        *("confusion-test", "confusion-pool", "rounds", "labels"),
    ]


@pytest.mark.parametrize("name", CHARTS)
def test_a_table_has_the_numbers_of_every_chart(name: str) -> None:
    table = CHARTS[name].table
    assert table.rows and all(len(row) == len(table.columns) for row in table.rows)


def test_reliability_points_stand_where_they_should() -> None:
    chart = reliability_chart(measurement("seeds"))
    points = [(float(c.get("cx") or 0), float(c.get("cy") or 0)) for c in elements(chart, "circle")]
    side = BOTTOM - STRIP - TOP - 8
    assert points == [
        (pytest.approx(LEFT + x * (WIDTH - LEFT - RIGHT), abs=0.06), pytest.approx(TOP + (1 - y) * side, abs=0.06))
        for x, y in ((0.45, 0.5), (0.95, 5 / 6))
    ]
    bars = [float(r.get("height") or 0) for r in elements(chart, "rect") if r.get("class") == "quiet"]
    assert bars == [pytest.approx(STRIP / 3, abs=0.06), STRIP]


def test_bars_are_as_long_as_their_values() -> None:
    chart = bars_chart("b", "t", "d", [("one", {"x": 1.0, "y": 3.0}), ("two", {"y": 2.0})], "s", NO_TABLE)
    widths = [float(r.get("width") or 0) for r in elements(chart, "rect") if r.get("height") == "16"]
    assert widths[1] == pytest.approx(3 * widths[0], abs=0.2)
    assert widths[2] == pytest.approx(2 * widths[0], abs=0.2)


def test_dots_have_intervals_and_their_own_shapes() -> None:
    rows = [DotRow("a", [Dot(0, 0.5, (0.25, 1.0)), Dot(1, 0.5)])]
    chart = dots_chart("d", "t", "d", rows, "x", ["one", "two"], NO_TABLE)
    (whisker,) = elements(chart, "line")
    circle = next(iter(elements(chart, "circle")))
    start, end, middle = (float(v or 0) for v in (whisker.get("x1"), whisker.get("x2"), circle.get("cx")))
    assert (middle - start) / (end - start) == pytest.approx(1 / 3, abs=0.01)
    assert len(list(elements(chart, "polygon"))) == 2  # the second series and its place in the legend


def test_cells_are_shaded_by_size_and_sign() -> None:
    matrix = Matrix(["r"], ["a", "b", "c"], [[Cell("1", 1.0), Cell("-1", -0.5), None]])
    chart = heatmap("h", "t", "d", matrix, NO_TABLE)
    cells = [(r.get("class"), r.get("fill-opacity")) for r in elements(chart, "rect") if r.get("fill-opacity")]
    assert cells == [("h0", "0.75"), ("h1", "0.38")]


def test_large_matrices_go_without_numbers() -> None:
    names = [str(n) for n in range(40)]
    matrix = Matrix(names, names, [[Cell("77", 0.5)] * 40] * 40)
    assert "77" not in [t.text for t in elements(heatmap("h", "t", "d", matrix, NO_TABLE), "text")]
