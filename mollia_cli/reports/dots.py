"""Dot plots (Cleveland): values in rows, with intervals where they are known."""

from collections.abc import Sequence
from dataclasses import dataclass

from mollia_cli.reports.blocks import Chart, Table
from mollia_cli.reports.curves import ticks
from mollia_cli.reports.svg import LETTER, axis_x, colour, legend, marker, rule, short, text

WIDTH, ROW = 420, 26
_LONGEST_NAME = 30


@dataclass(frozen=True, slots=True)
class Dot:
    """A value of a series (an index), with its interval where it has one."""

    series: int
    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class DotRow:
    """A name and its dots."""

    name: str
    dots: Sequence[Dot]


def dots_chart(
    name: str, title: str, description: str, rows: Sequence[DotRow], x_label: str, series: Sequence[str], table: Table
) -> Chart:
    """One row a name; ``series`` with more than one name get a legend."""
    names = [short(row.name, _LONGEST_NAME) for row in rows]
    left, right, top = 14 + LETTER * max(map(len, names)), WIDTH - 16, 8
    bottom = top + ROW * len(rows)
    reach = [end for row in rows for dot in row.dots for end in (dot.value, *(dot.interval or ()))]
    marks = ticks(0.0, max([0.1, *reach]), 6)

    def x_of(value: float) -> float:
        return left + (value - marks[0]) / (marks[-1] - marks[0]) * (right - left)

    parts = axis_x(left, right, top, bottom, marks, x_label)
    for position, row in enumerate(rows):
        y = top + ROW * (position + 0.5)
        parts += [text((left - 9, y + 4), names[position], "end"), rule((left, y), (right, y))]
        for dot in row.dots:
            if dot.interval is not None:
                ends = f'x1="{x_of(dot.interval[0]):.1f}" x2="{x_of(dot.interval[1]):.1f}" y1="{y:.1f}" y2="{y:.1f}"'
                stroke = f'stroke="{colour(dot.series)}" class="s{dot.series}" stroke-width="2"'
                parts.append(f"<line {ends} {stroke}/>")
            parts.append(marker((x_of(dot.value), y), dot.series, 4.2))
    height = bottom + 44.0
    if len(series) > 1:
        key, height = legend(series, (left, bottom + 54), WIDTH, lambda number, at: marker(at, number))
        parts += key
    return Chart(name, title, description, WIDTH, height, "\n".join(parts), table)
