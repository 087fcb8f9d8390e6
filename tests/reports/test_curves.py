"""The picture of the learning curves."""

import xml.etree.ElementTree as ET

import pytest

from mollia_cli.reports.curves import BOTTOM, LEFT, PLOT, TOP, Line, curves_chart, curves_svg, ticks
from mollia_cli.reports.svg import COLOURS

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (50, 550, [0, 100, 200, 300, 400, 500, 600]),
        (0.71, 0.76, [0.71, 0.72, 0.73, 0.74, 0.75, 0.76]),
    ],
)
def test_ticks_are_round_and_enclose(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-9])
def test_one_value_has_an_axis(value: float) -> None:
    found = ticks(value, value)
    assert found[0] <= value <= found[-1]
    assert found[0] < found[-1]


def test_points_stand_where_their_values_are() -> None:
    picture = ET.fromstring(curves_svg([Line("a", [(0, 0.5, 0.0), (100, 1.0, 0.1)])], "t", "x", "y"))
    curve = next(line for line in picture.iter(f"{SVG}polyline") if line.get("stroke") == COLOURS[0])
    (x0, y0), (x1, y1) = ([float(v) for v in point.split(",")] for point in (curve.get("points") or "").split())
    assert x0 == LEFT
    assert x1 > x0
    assert y1 < y0  # up is more
    band = next(iter(picture.iter(f"{SVG}polygon"))).get("points") or ""
    heights = [float(point.split(",")[1]) for point in band.split()]
    assert heights[0] == heights[-1] == y0
    assert heights[1] < y1 < heights[2]


def test_names_are_escaped_and_empty_curves_left_out() -> None:
    text = curves_svg([Line("<b> & co", [(1, 2, 0)]), Line("empty", [])], "t", "x", "y")
    assert "&lt;b&gt; &amp; co" in text
    assert "empty" not in text
    ET.fromstring(curves_svg([], "t", "x", "y"))


def heights(line: Line) -> list[float]:
    """Where the curve's points stand, as shares of the axis."""
    picture = ET.fromstring(curves_svg([line], "t", "x", "y"))
    curve = next(drawn for drawn in picture.iter(f"{SVG}polyline") if drawn.get("stroke") == COLOURS[0])
    ys = [float(point.split(",")[1]) for point in (curve.get("points") or "").split()]
    return [(PLOT - BOTTOM - y) / (PLOT - BOTTOM - TOP) for y in ys]


def test_four_items_of_a_test_set_do_not_look_steep() -> None:
    """160 items leave an interval of 13 points; four of them are 2.5."""
    low, high = heights(Line("a", [(50, 0.8, None), (100, 0.825, None)], 160))
    assert 0 < high - low < 0.25
    low, high = heights(Line("a", [(50, 0.8, None), (100, 0.825, None)], 100_000))
    assert high - low > 0.25


def test_where_nobody_knows_how_many_were_measured_the_axis_starts_at_nothing() -> None:
    low, high = heights(Line("a", [(50, 0.8, None), (100, 0.825, None)]))
    assert low == pytest.approx(0.8 / 1.0, abs=0.12) and high - low < 0.05


def test_the_table_of_a_single_run_has_no_deviation() -> None:
    table = curves_chart([Line("a", [(50, 0.8, None)])], "t", "x", "y").table
    assert table is not None and table.rows == [["a", 50, 0.8, None]]
