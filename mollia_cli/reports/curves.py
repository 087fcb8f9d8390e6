"""Learning curves as one SVG picture, without any library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

# Okabe and Ito's palette: told apart by people with colour vision deficiencies.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES = ("", "7 4", "2 3")
WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 190, 40, 52


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: points (x, mean, spread); the band is mean +- spread."""

    name: str
    points: Sequence[tuple[float, float, float]]


def curves_svg(lines: Sequence[Line], title: str, x_label: str, y_label: str) -> str:
    """The picture of the curves; lines without points are left out."""
    drawn = [line for line in lines if line.points]
    xs = [x for line in drawn for x, _, _ in line.points] or [0.0]
    ys = [y + sign * spread for line in drawn for _, y, spread in line.points for sign in (-1, 1)] or [0.0]
    x_ticks, y_ticks = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        right, down = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]), (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return LEFT + right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - down * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, TOP - 16, title, "start", 'font-size="14"'),
    ]
    for x in x_ticks:
        parts += [_rule(place(x, y_ticks[0]), place(x, y_ticks[-1])), _under(place(x, y_ticks[0]), x)]
    for y in y_ticks:
        parts += [_rule(place(x_ticks[0], y), place(x_ticks[-1], y)), _beside(place(x_ticks[0], y), y)]
    middle = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(_text(middle[0], HEIGHT - 14, x_label))
    parts.append(_text(18, middle[1], y_label, "middle", f'transform="rotate(-90 18 {middle[1]})"'))
    for row, line in enumerate(drawn):
        colour, dash = COLOURS[row % len(COLOURS)], DASHES[row // len(COLOURS) % len(DASHES)]
        upper = [place(x, y + spread) for x, y, spread in line.points]
        lower = [place(x, y - spread) for x, y, spread in reversed(line.points)]
        stroke = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        parts.append(f'<polygon points="{_points(upper + lower)}" fill="{colour}" opacity="0.15"/>')
        parts.append(f'<polyline points="{_points([place(x, y) for x, y, _ in line.points])}" {stroke}/>')
        height = TOP + 8 + 20 * row
        start = WIDTH - RIGHT + 16
        parts.append(f'<polyline points="{start},{height} {start + 24},{height}" {stroke}/>')
        parts.append(_text(start + 30, height + 4, line.name, "start"))
    return "\n".join([*parts, "</svg>\n"])


def ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Round numbers, two at least, that enclose low to high in steps of 1, 2 or 5 times a power of ten."""
    span = high - low if high > low else max(abs(high), 1.0) * 0.1
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most - 1)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def _text(x: float, y: float, words: str, anchor: str = "middle", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(words)}</text>'


def _under(at: tuple[float, float], value: float) -> str:
    return _text(at[0], at[1] + 18, f"{value:g}")


def _beside(at: tuple[float, float], value: float) -> str:
    return _text(at[0] - 8, at[1] + 4, f"{value:g}", "end")


def _rule(a: tuple[float, float], b: tuple[float, float]) -> str:
    return f'<polyline points="{_points([a, b])}" stroke="#dddddd"/>'


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
