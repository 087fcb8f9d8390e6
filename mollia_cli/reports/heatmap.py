"""A matrix as shaded cells with their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from mollia_cli.reports.blocks import Chart, Table
from mollia_cli.reports.svg import COLOURS, INK, RULE, short, text

CELL, SMALL_CELL = 46, 14
LETTER = 6.6  # average width of a letter
_LONGEST_NAME = 18
_MOST_NUMBERED = 16
_DARK = 0.55  # shades above this need light letters


@dataclass(frozen=True, slots=True)
class Cell:
    """A number and its shade, -1 (deepest orange) to 1 (deepest blue)."""

    words: str
    shade: float


def heatmap(
    name: str,
    title: str,
    description: str,
    names: tuple[Sequence[str], Sequence[str]],
    cells: Sequence[Sequence[Cell | None]],
    axes: tuple[str, str],
    table: Table,
) -> Chart:
    """names: of rows and of columns; axes: what rows and columns are; large matrices go without numbers."""
    rows, columns = ([short(label, _LONGEST_NAME) for label in side] for side in names)
    numbered = max(len(rows), len(columns)) <= _MOST_NUMBERED
    size = CELL if numbered else SMALL_CELL
    left = 26 + LETTER * max(map(len, rows))
    top = 30 + 0.72 * LETTER * max(map(len, columns))
    parts = [
        text((left + size * len(columns) / 2, 12), axes[1]),
        text(
            (12, top + size * len(rows) / 2),
            axes[0],
            "middle",
            f'transform="rotate(-90 12 {top + size * len(rows) / 2:.1f})"',
        ),
    ]
    for column, label in enumerate(columns):
        x = left + size * (column + 0.5)
        parts.append(text((x, top - 6), label, "start", f'transform="rotate(-45 {x:.1f} {top - 6:.1f})"'))
    for row, label in enumerate(rows):
        y = top + size * row
        parts.append(text((left - 7, y + size / 2 + 4), label, "end"))
        for column, cell in enumerate(cells[row]):
            if cell is not None:
                parts.append(_cell(cell, left + size * column, y, size, numbered))
    width = left + size * len(columns) + 0.72 * LETTER * len(columns[-1] if columns else "") + 8
    frame = f'width="{size * len(columns)}" height="{size * len(rows)}" fill="none" stroke="{RULE}" class="rule"'
    parts.append(f'<rect x="{left:.1f}" y="{top:.1f}" {frame}/>')
    return Chart(name, title, description, width, top + size * len(rows) + 8, "\n".join(parts), table)


def _cell(cell: Cell, x: float, y: float, size: float, numbered: bool) -> str:
    depth = min(abs(cell.shade), 1.0)
    hue = 0 if cell.shade >= 0 else 1
    paint = f'fill="{COLOURS[hue]}" fill-opacity="{depth:.2f}" class="f{hue}"'
    drawn = f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{size - 2:g}" height="{size - 2:g}" {paint}/>'
    if not numbered:
        return drawn
    letters = ("#ffffff", "over") if depth > _DARK else (INK, "")
    look = f'fill="{letters[0]}" class="{letters[1]}"' if letters[1] else ""
    return drawn + text((x + size / 2, y + size / 2 + 4), cell.words, "middle", look)
