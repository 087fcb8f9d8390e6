"""Tables for people that fit the width of a terminal without cutting a name, a number or a heading."""

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2  # cells between columns
_WORDS = 30  # cells that a name is not wider than: what is wider and has spaces is free text
_SENTENCE = 100  # cells that nothing but free text is wider than
_LEAST_TEXT, _LONGEST_WORD = 24, 48  # cells of a column of free text


def draw(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], width: int, title: str) -> str:
    """The table in ``width`` cells; ``right``: which columns stand at the right, as numbers do.

    Columns of names and numbers never shrink; free text and headings are wrapped at spaces. What does not fit then is
    continued below, with the first columns repeated that tell the rows apart; and where nothing fits beside these,
    each row is a record, a line a cell.
    """
    sizes = [_Column(heading, [row[n] for row in rows]) for n, heading in enumerate(columns)]
    parts = _parts(sizes, width - 2, _names(rows))
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        if title:
            console.print(Text(title, "italic"))
        if parts is None:
            _records(console, columns, rows)
        else:
            for part in parts:
                drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
                for n, wide in zip(part, _widths([sizes[n] for n in part], width - 2), strict=True):
                    drawn.add_column(
                        Text(columns[n]), justify="right" if right[n] and rows else "left", width=wide, overflow="fold"
                    )
                for row in rows:
                    drawn.add_row(*(Text(row[n]) for n in part))
                console.print(drawn)
    return captured.get().removesuffix("\n")


class _Column:
    """How wide a column is: ``least`` without a cut, ``cells`` without a wrapped cell, ``most`` with its heading."""

    def __init__(self, heading: str, cells: Sequence[str]) -> None:
        lengths = [cell_len(cell) for cell in cells]
        self.cells = max(lengths, default=0)
        self.text = any(n > _SENTENCE or (n > _WORDS and " " in cell) for n, cell in zip(lengths, cells, strict=True))
        word = _longest_word([heading])
        if self.text:
            words = min(_longest_word(cells), _LONGEST_WORD)
            self.least = max(word, words, _LEAST_TEXT)
        else:
            self.least = max(word, self.cells)
        self.most = max(self.cells, cell_len(heading), self.least)


def _longest_word(cells: Sequence[str]) -> int:
    return max((cell_len(word) for cell in cells for word in cell.split()), default=1)


def _names(rows: Sequence[Sequence[str]]) -> int:
    """How many of the first columns tell the rows apart; 1 where no number does."""
    if not rows:
        return 1
    apart = (n for n in range(1, len(rows[0])) if len({tuple(row[:n]) for row in rows}) == len(rows))
    return next(apart, 1)


def _parts(columns: Sequence[_Column], room: int, names: int) -> list[list[int]] | None:
    """Which columns stand in which part of the table; the first ``names`` are in each. None where no other fits."""

    def fits(part: Sequence[int]) -> bool:
        return sum(columns[n].least for n in part) + _GAP * (len(part) - 1) <= room

    repeated = list(range(min(names, len(columns))))
    parts = [repeated]
    for n in range(len(repeated), len(columns)):
        if fits([*parts[-1], n]):
            parts[-1] = [*parts[-1], n]
        else:
            parts.append([*repeated, n])
    parts = parts[1:] if len(parts) > 1 and parts[0] == repeated else parts
    return parts if all(map(fits, parts)) else None


def _widths(columns: Sequence[_Column], room: int) -> list[int]:
    """The width of each column: the least, and what is left for free text first, then for whole headings."""
    widths = [column.least for column in columns]
    for wanted in ([max(c.cells, c.least) for c in columns], [c.most for c in columns]):
        for n in sorted(range(len(columns)), key=lambda n: wanted[n] - widths[n]):
            waiting = sum(more > now for more, now in zip(wanted, widths, strict=True))
            if waiting:
                widths[n] += max(0, min(wanted[n] - widths[n], (room - _sum(widths)) // waiting))
    return widths


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _records(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Each row as lines of a heading and a cell, which stands below it where it has no room beside it.

    A word that is wider than the terminal is left to it to break.
    """
    beside = max(map(cell_len, columns), default=0) + _GAP
    for row in rows:
        console.print()
        for heading, cell in zip(columns, row, strict=True):
            fits = beside + _longest_word([cell]) <= console.width
            indent = beside if fits else _GAP
            lines = Text(cell).wrap(console, max(console.width - indent, _longest_word([cell])))
            if not fits:
                console.print(Text(heading, "bold"), soft_wrap=True)
            for number, line in enumerate(lines):
                line.rstrip()
                before = heading if fits and not number else ""
                console.print(Text.assemble((before, "bold"), " " * (indent - cell_len(before)), line), soft_wrap=True)
    console.print()
