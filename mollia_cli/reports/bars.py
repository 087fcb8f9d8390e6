"""Stacked level bars."""

from collections.abc import Mapping, Sequence

from mollia_cli.reports.blocks import Chart, Table
from mollia_cli.reports.curves import ticks
from mollia_cli.reports.heatmap import LETTER
from mollia_cli.reports.svg import COLOURS, axis_x, colour, text

WIDTH, ROW = 520, 28
_HATCH = 5  # width of a legend's square, half


def bars_chart(
    name: str, title: str, description: str, rows: Sequence[tuple[str, Mapping[str, float]]], x_label: str, table: Table
) -> Chart:
    """rows: (name, value of each part); parts stand in the order in which they first come up."""
    parts_of = list(dict.fromkeys(part for _, values in rows for part in values))
    left, right, top = 16 + LETTER * max(len(label) for label, _ in rows), WIDTH - 16, 8
    bottom = top + ROW * len(rows)
    marks = ticks(0.0, max(sum(values.values()) for _, values in rows) or 1.0, 6)
    scale = (right - left) / (marks[-1] - marks[0])
    drawn = axis_x(left, right, top, bottom, marks, x_label)
    for position, (label, values) in enumerate(rows):
        y, x = top + ROW * position, left
        drawn.append(text((left - 9, y + ROW / 2 + 4), label, "end"))
        for part, value in values.items():
            drawn.append(_box(parts_of.index(part), x, y + 5, value * scale, ROW - 10))
            x += value * scale
    x, y = left, bottom + 52.0
    for number, part in enumerate(parts_of):
        wide = 26 + LETTER * len(part) + 14
        if x + wide > WIDTH and x > left:
            x, y = left, y + 22
        drawn += [_box(number, x, y - _HATCH, 2 * _HATCH, 2 * _HATCH), text((x + 16, y + 4), part, "start")]
        x += wide
    return Chart(name, title, description, WIDTH, y + 14, "\n".join(drawn), table)


def _box(series: int, x: float, y: float, width: float, height: float) -> str:
    paint = f'fill="{colour(series)}" class="f{series % len(COLOURS)}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:g}" {paint}/>'
