"""Stacked level bars."""

from collections.abc import Mapping, Sequence

from mollia_cli.reports.blocks import Chart, Table
from mollia_cli.reports.curves import ticks
from mollia_cli.reports.svg import COLOURS, LETTER, axis_x, colour, legend, text

WIDTH, ROW = 440, 26


def bars_chart(
    name: str, title: str, description: str, rows: Sequence[tuple[str, Mapping[str, float]]], x_label: str, table: Table
) -> Chart:
    """rows: (name, value of each part); parts stand in the order in which they first come up."""
    parts_of = list(dict.fromkeys(part for _, values in rows for part in values))
    left, right, top = 16.0 + LETTER * max(len(label) for label, _ in rows), WIDTH - 16, 8
    bottom = top + ROW * len(rows)
    marks = ticks(0.0, max(sum(values.values()) for _, values in rows) or 1.0, 6)
    scale = (right - left) / (marks[-1] - marks[0])
    drawn = axis_x(left, right, top, bottom, marks, x_label)
    for position, (label, values) in enumerate(rows):
        y, x = float(top + ROW * position), left
        drawn.append(text((left - 9, y + ROW / 2 + 4), label, "end"))
        for part, value in values.items():
            drawn.append(_box(parts_of.index(part), x, y + 5, value * scale, ROW - 10))
            x += value * scale
    key, height = legend(parts_of, (left, bottom + 54), WIDTH, lambda n, at: _box(n, at[0] - 5, at[1] - 5, 10, 10))
    return Chart(name, title, description, WIDTH, height, "\n".join(drawn + key), table)


def _box(series: int, x: float, y: float, width: float, height: float) -> str:
    paint = f'fill="{colour(series)}" class="f{series % len(COLOURS)}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.0):.1f}" height="{height:g}" {paint}/>'
