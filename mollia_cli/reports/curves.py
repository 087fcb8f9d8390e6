"""Learning curves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mollia_cli.aggregators.quality import wilson
from mollia_cli.reports.blocks import Chart, Table
from mollia_cli.reports.svg import COLOURS, DASHES, axis_x, axis_y, colour, marker, points, standalone, text

WIDTH, PLOT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 12, 46
ROW = 24


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: points (x, mean, spread); the band is mean +- spread, None for one value alone.

    items: how many a mean, a share, is measured on; 0 where that is not known.
    """

    name: str
    points: Sequence[tuple[float, float, float | None]]
    items: int = 0

    @property
    def reach(self) -> tuple[float, float]:
        """What the upright axis spans at least, so that chance does not look steep.

        The last mean's 95% interval; without ``items``, from 0.
        """
        last = self.points[-1][1]
        return wilson(round(last * self.items), self.items) if self.items else (min(0.0, last), last)


def curves_svg(lines: Sequence[Line], title: str, x_label: str, y_label: str) -> str:
    """The picture of the curves as a file; lines without points are left out."""
    return standalone(curves_chart(lines, title, x_label, y_label))


def curves_chart(lines: Sequence[Line], title: str, x_label: str, y_label: str) -> Chart:
    """The curves with their bands over a legend; lines without points are left out."""
    drawn = [line for line in lines if line.points]
    xs = [x for line in drawn for x, _, _ in line.points] or [0.0]
    ys = [y + sign * (spread or 0.0) for line in drawn for _, y, spread in line.points for sign in (-1, 1)]
    ys = [*ys, *(end for line in drawn for end in line.reach)] or [0.0]
    x_ticks, y_ticks = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        right, down = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]), (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return LEFT + right * (WIDTH - LEFT - RIGHT), PLOT - BOTTOM - down * (PLOT - TOP - BOTTOM)

    frame = (LEFT, WIDTH - RIGHT, TOP, PLOT - BOTTOM)
    parts = [*axis_x(*frame, x_ticks, x_label), *axis_y(*frame, y_ticks, y_label)]
    for row, line in enumerate(drawn):
        upper = [place(x, y + (spread or 0.0)) for x, y, spread in line.points]
        lower = [place(x, y - (spread or 0.0)) for x, y, spread in reversed(line.points)]
        paint = f'fill="{colour(row)}" class="f{row % len(COLOURS)}" opacity="0.15"'
        parts += [f'<polygon points="{points(upper + lower)}" {paint}/>']
        parts += [_stroke([place(x, y) for x, y, _ in line.points], row)]
        parts += [marker(place(x, y), row, 3.2) for x, y, _ in line.points]
    for row, line in enumerate(drawn):
        y = PLOT + 4 + ROW * row
        parts += [_stroke([(LEFT, y), (LEFT + 30, y)], row), marker((LEFT + 15, y), row, 3.2)]
        parts += [text((LEFT + 40, y + 4), line.name, "start")]
    described = "; ".join(f"{line.name}: {line.points[0][1]:.3f} to {line.points[-1][1]:.3f}" for line in drawn)
    rows = [[line.name, x, mean, spread] for line in drawn for x, mean, spread in line.points]
    return Chart(
        "curves",
        title,
        f"{y_label} by {x_label}. From first to last point: {described or 'nothing yet'}.",
        WIDTH,
        PLOT + ROW * len(drawn),
        "\n".join(parts),
        Table(title, ["curve", x_label, "mean", "standard deviation"], rows),
    )


def ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Round numbers, two at least, that enclose low to high in steps of 1, 2 or 5 times a power of ten."""
    span = high - low if high > low else max(abs(high), 1.0) * 0.1
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most - 1)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def _stroke(places: Sequence[tuple[float, float]], row: int) -> str:
    dash = DASHES[row // len(COLOURS) % len(DASHES)]
    paint = f'fill="none" stroke="{colour(row)}" class="s{row % len(COLOURS)}" stroke-width="2"'
    return f'<polyline points="{points(places)}" {paint} stroke-dasharray="{dash}"/>'
