"""CSV with a header (RFC 4180; also with the semicolons of European spreadsheets)."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from mollia_cli.domain.errors import InputError
from mollia_cli.readers.base import MAX_TEXT, Line, Problem, Record, Request, records, unique
from mollia_cli.readers.text import text_lines

# What writers/csv.py put an apostrophe before, so that no spreadsheet runs it as a formula.
_SEPARATOR = re.compile(r'\s*?(?:"(?:[^"]|"")*"|[^",;\t])*([,;\t])')
_NAMES = {";": "semicolons", "\t": "tabs"}
_DEFUSED = re.compile(r"'+[=+\-@\t\r]")


def read(blocks: Iterable[bytes], request: Request) -> Iterator[Record | Problem]:
    """One Record for each row below the header.

    Unless ``request.raw``, one apostrophe is taken away where = + - @ tab or CR follows it, or more
    apostrophes and then one of them: what ``mollia export`` put there.
    """
    return read_rows(blocks, request, undo=not request.raw)


def delimiter_of(header: str) -> str:
    """The first comma, semicolon or tab outside quotes; a comma where there is none."""
    found = _SEPARATOR.match(header)
    return found[1] if found else ","


def read_rows(
    blocks: Iterable[bytes], request: Request, delimiter: str | None = None, undo: bool = False
) -> Iterator[Record | Problem]:
    """Rows of a delimited file; ``delimiter`` None looks at the header; ``undo``: see ``read``.

    Raises InputError if there is no header or it lacks a column that was asked for.
    """
    csv.field_size_limit(MAX_TEXT)  # so that a quote that never closes cannot take all memory
    lines = text_lines(blocks, request.name)
    first = next(lines, "")
    if delimiter is None:
        delimiter = delimiter_of(first)
        if delimiter in _NAMES:
            request.tell(f"columns are separated by {_NAMES[delimiter]}")
    # strict: a stray quote is an error; without it, the csv module silently changes the text.
    rows = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(rows, [])]
    except csv.Error as error:
        raise InputError(f"{request.name}: line 1: the header cannot be read: {error}", "check its quotes") from None
    if not any(header):
        raise InputError(f"{request.name} has no header line", "write one, for example: text,label")
    yield from records(header, _rows(rows, header, undo), request)


def _rows(rows: Any, header: Sequence[str], undo: bool) -> Iterator[Line]:
    """The rows below the header, of a ``csv.reader``."""
    names = unique(header)
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, Problem(line, _explained(error, line, rows.line_num))
            continue
        if undo:
            row = [cell[1:] if _DEFUSED.match(cell) else cell for cell in row]
        if len(row) == len(names):
            yield line, dict(zip(names, row, strict=True))
        elif row:  # an empty line is no row
            yield line, Problem(line, f"the row has {len(row)} cells, the header {len(names)}")


def _explained(error: csv.Error, first: int, last: int) -> str:
    skipped = f"; lines {first} to {last} are skipped" if last > first else ""
    if "field larger than" in str(error) or "unexpected end" in str(error):
        return f"a quoted cell does not end within the file or {MAX_TEXT:,} characters{skipped}"
    if "expected after" in str(error):
        return f'a quote inside a quoted cell is not doubled (""){skipped}'
    return f"the row cannot be read: {error}{skipped}"
