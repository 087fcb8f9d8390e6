"""Elements of SVG pictures, without any library.

Colours stand in attributes, for files of their own; classes let a page's style sheet give others, for dark screens.
"""

from collections.abc import Callable, Sequence
from html import escape

from mollia_cli.domain.printable import printable
from mollia_cli.reports.blocks import Chart

# Okabe and Ito's hues, shaded so that each stands out from white (contrast 3), and any two of them from each other to
# people with colour vision deficiencies too (tests/reports/test_colours.py).
COLOURS = ("#00517f", "#954200", "#007a59", "#a9648b", "#c38700", "#499ac7", "#000000")
BLUE, ORANGE = "#0072b2", "#d55e00"  # of shaded cells
DASHES = ("", "7 4", "2 3")
INK, RULE, FONT = "#1b1b1b", "#d9d9d9", 12
LETTER = 6.6  # average width of a letter
_TITLE = 30
_WIDE = 480  # pictures from here on need larger letters on a narrow screen

Place = tuple[float, float]


def colour(row: int) -> str:
    """The colour of the row-th series."""
    return COLOURS[row % len(COLOURS)]


def standalone(chart: Chart) -> str:
    """The chart as a file: with its title, on white."""
    height = chart.height + _TITLE
    heading = text((8, -10), short(chart.title, int((chart.width - 8) / (1.1 * LETTER))), "start", 'font-weight="600"')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-_TITLE} {chart.width:g} {height:g}"'
        f' width="{chart.width:g}" height="{height:g}" role="img" fill="{INK}" font-family="sans-serif"'
        f' font-size="{FONT}">\n<title>{clean(chart.title)}</title>\n<desc>{clean(chart.description)}</desc>\n'
        f'<rect y="{-_TITLE}" width="{chart.width:g}" height="{height:g}" fill="#ffffff"/>\n'
        f"{heading}\n{chart.body}\n</svg>\n"
    )


def inline(chart: Chart) -> str:
    """The chart for a page that holds its title and description under ids made from its name."""
    kind = "chart wide" if chart.width > _WIDE else "chart"
    return (
        f'<svg class="{kind}" viewBox="0 0 {chart.width:g} {chart.height:g}" role="img" fill="{INK}"'
        f' font-size="{FONT}" style="max-width:{1.25 * chart.width:.0f}px"'
        f' aria-labelledby="{chart.name}-title {chart.name}-desc">\n<title id="{chart.name}-title">'
        f'{clean(chart.title)}</title>\n<desc id="{chart.name}-desc">{clean(chart.description)}</desc>\n'
        f"{chart.body}\n</svg>"
    )


def clean(words: str) -> str:
    """Text that is neither markup nor control characters."""
    return escape(printable(words))


def text(at: Place, words: str, anchor: str = "middle", more: str = "") -> str:
    """Words at a place: their start, middle or end."""
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}" {more}>{clean(words)}</text>'


def rule(a: Place, b: Place, more: str = "") -> str:
    """A thin line of the grid."""
    return f'<polyline points="{points([a, b])}" class="rule" stroke="{RULE}" {more}/>'


def points(places: Sequence[Place]) -> str:
    """Coordinates as an attribute."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def short(words: str, most: int) -> str:
    """Words that fit: the end of long ones is left out."""
    words = printable(words)
    return words if len(words) <= most else f"{words[: most - 1]}…"


def marker(at: Place, series: int, size: float = 4.0) -> str:
    """A mark whose shape tells the series as well as its colour: circle, square, triangle, diamond."""
    x, y = at
    shapes: tuple[list[Place], ...] = (
        [],
        [(x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)],
        [(x, y - 1.3 * size), (x + 1.2 * size, y + size), (x - 1.2 * size, y + size)],
        [(x, y - 1.4 * size), (x + 1.4 * size, y), (x, y + 1.4 * size), (x - 1.4 * size, y)],
    )
    corners = shapes[series % len(shapes)]
    paint = f'fill="{colour(series)}" class="f{series % len(COLOURS)}"'
    if not corners:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" {paint}/>'
    return f'<polygon points="{points(corners)}" {paint}/>'


def legend(
    names: Sequence[str], at: Place, right: float, swatch: Callable[[int, Place], str]
) -> tuple[list[str], float]:
    """(parts, the y below them): names behind their swatches, in rows from ``at`` to ``right``."""
    (x, y), parts = at, []
    for series, name in enumerate(names):
        wide = 34 + LETTER * len(name)
        if x > at[0] and x + wide > right:
            x, y = at[0], y + 22
        parts += [swatch(series, (x + 6, y)), text((x + 18, y + 4), name, "start")]
        x += wide
    return parts, y + 14


def axis_x(left: float, right: float, top: float, bottom: float, marks: Sequence[float], label: str) -> list[str]:
    """A horizontal axis with the grid's upright lines at ``marks``."""
    span = marks[-1] - marks[0]
    parts = []
    for mark in marks:
        x = left + (mark - marks[0]) / span * (right - left)
        parts += [rule((x, top), (x, bottom)), text((x, bottom + 17), f"{mark:g}")]
    return [*parts, text(((left + right) / 2, bottom + 36), label)]


def axis_y(left: float, right: float, top: float, bottom: float, marks: Sequence[float], label: str) -> list[str]:
    """An upright axis with the grid's level lines at ``marks``."""
    span = marks[-1] - marks[0]
    parts = []
    for mark in marks:
        y = bottom - (mark - marks[0]) / span * (bottom - top)
        parts += [rule((left, y), (right, y)), text((left - 8, y + 4), f"{mark:g}", "end")]
    middle = (top + bottom) / 2
    return [*parts, text((13, middle), label, "middle", f'transform="rotate(-90 13 {middle:.1f})"')]
