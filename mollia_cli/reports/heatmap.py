"""A matrix as shaded cells with their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from mollia_cli.reports.blocks import Chart, Table
from mollia_cli.reports.svg import BLUE, LETTER, ORANGE, RULE, Place, short, text

CELL, SMALL_CELL = 46, 14
_LONGEST_NAME = 32
_LEVEL = 3  # column names up to so many letters stand level
_MOST_NUMBERED = 16
_DEEPEST = 0.75  # of the hue, so that letters can be read on every shade


@dataclass(frozen=True, slots=True)
class Cell:
    """A number and its shade, -1 (deepest orange) to 1 (deepest blue)."""

    words: str
    shade: float


@dataclass(frozen=True, slots=True)
class Matrix:
    """Cells by row and column (None: empty), the names of both, and what rows and columns are."""

    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[Cell | None]]
    row_axis: str = ""
    column_axis: str = ""


def heatmap(name: str, title: str, description: str, matrix: Matrix, table: Table) -> Chart:
    """Large matrices go without numbers, smaller cells side by side."""
    rows, columns = ([short(label, _LONGEST_NAME) for label in side] for side in (matrix.rows, matrix.columns))
    numbered = max(len(rows), len(columns)) <= _MOST_NUMBERED
    size = CELL if numbered else SMALL_CELL
    longest = max(map(len, columns))
    slant = 0.0 if longest <= _LEVEL else 0.75 * LETTER * longest
    left = (26 if matrix.row_axis else 10) + LETTER * max(map(len, rows))
    top = (28 if matrix.column_axis else 10) + (slant or 14)
    wide, tall = size * len(columns), size * len(rows)
    parts = _axes(matrix, (left + wide / 2, 12), (12, top + tall / 2))
    for column, label in enumerate(columns):
        x = left + size * (column + 0.5)
        turn = f'transform="rotate(-45 {x:.1f} {top - 6:.1f})"' if slant else ""
        parts.append(text((x, top - 6), label, "start" if slant else "middle", turn))
    for row, label in enumerate(rows):
        y = top + size * row
        parts.append(text((left - 7, y + size / 2 + 4), label, "end"))
        cells = [(column, cell) for column, cell in enumerate(matrix.cells[row]) if cell is not None]
        parts += [_cell(cell, (left + size * column, y), size, numbered) for column, cell in cells]
    frame = f'width="{wide}" height="{tall}" fill="none" stroke="{RULE}" class="rule"'
    parts.append(f'<rect x="{left:.1f}" y="{top:.1f}" {frame}/>')
    return Chart(name, title, description, left + wide + slant + 6, top + tall + 8, "\n".join(parts), table)


def _axes(matrix: Matrix, above: Place, beside: Place) -> list[str]:
    turn = f'transform="rotate(-90 {beside[0]:.1f} {beside[1]:.1f})"'
    return [
        *([text(above, matrix.column_axis)] if matrix.column_axis else []),
        *([text(beside, matrix.row_axis, "middle", turn)] if matrix.row_axis else []),
    ]


def _cell(cell: Cell, at: Place, size: float, numbered: bool) -> str:
    x, y = at
    depth = _DEEPEST * min(abs(cell.shade), 1.0)
    hue = 0 if cell.shade >= 0 else 1
    paint = f'fill="{(BLUE, ORANGE)[hue]}" fill-opacity="{depth:.2f}" class="h{hue}"'
    drawn = f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{size - 2:g}" height="{size - 2:g}" {paint}/>'
    return drawn + text((x + size / 2, y + size / 2 + 4), cell.words) if numbered else drawn
