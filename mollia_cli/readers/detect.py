"""Which format a file has, and reading it."""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.registry import Entry, Registry
from mollia_cli.readers.base import ID_NAMES, LABEL_NAMES, TEXT_NAMES, Problem, Reader, Record, Request, guess
from mollia_cli.readers.csv import delimiter_of
from mollia_cli.readers.text import encoding_of

FORMATS = Registry(
    "format",
    __package__,
    {
        "csv": Entry("read", "comma- or semicolon-separated, with a header"),
        "tsv": Entry("read", "tab-separated, with a header"),
        "jsonl": Entry("read", "one JSON object a line"),
        "lines": Entry("read", "plain text, one text a line"),
        "parquet": Entry("read", "Apache Parquet (needs the parquet extra)"),
    },
)

_SUFFIXES = {
    **{".csv": "csv", ".tsv": "tsv", ".tab": "tsv"},
    **{".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"},
    **{".txt": "lines", ".lines": "lines", ".parquet": "parquet", ".pq": "parquet"},
}
_CELLS = ("csv", "tsv")  # formats of spreadsheets
_FOREIGN = (
    (b"PK\x03\x04", "a spreadsheet or zip archive", "save or unpack it as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet", "save it as CSV in UTF-8"),
    (b"\x1f\x8b", "compressed with gzip", "unpack it first: gzip -d FILE"),
    (b"%PDF", "a PDF", "extract its text first: pdftotext FILE"),
    (b"SQLite format 3\0", "an SQLite database", "export a table of it first: sqlite3 -csv -header FILE 'select ...'"),
)
_BLOCK = 1 << 16
# The start of an object, or of an array of objects or texts: a text may begin with a bracket, too.
_JSON = re.compile(r"""\{\s*(["}]|\Z)|\[\s*(["{\]]|\Z)""")
# A column's name: a few words without a space before the first, and without what ends a sentence.
_NAME = re.compile(r"\w[\w./#()-]*( [\w./#()-]+){0,3}(?<![.,!?])")
_AGREE = 2  # rows below a header of unknown names that must have as many cells
_LOOKED_AT = 20  # rows
_READ_AS = {
    "lines": "lines of text; --format csv reads a table",
    "jsonl": "JSON lines; --format lines takes each line as a text",
    "csv": "a table (csv); --format lines takes each line as a text",
    "tsv": "a table (tsv); --format lines takes each line as a text",
    "parquet": "Parquet",
}


def read(
    source: Path | BinaryIO,
    format: str | None = None,
    *,
    name: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    id_column: str | None = None,
    say: Callable[[str], None] | None = None,
    raw: bool = False,
) -> Iterator[Record | Problem]:
    """The rows of a file, streaming; ``format`` None goes by the suffix, then by the first bytes (see ``sniff``).

    name: how messages call the source. say: called with one sentence when the format was taken from the bytes, or
    columns were guessed. raw: see Request.
    Raises NotFoundError, or InputError for a file that cannot be read as a whole (encoding, columns) or has no row.
    """
    request = Request(name or str(source), text_column, label_column, id_column, say, raw)
    if format is not None:
        FORMATS.check(format)
    elif isinstance(source, Path):
        format = _SUFFIXES.get(source.suffix.lower())
    with _open(source) if isinstance(source, Path) else nullcontext(source) as handle:
        head = handle.read(_BLOCK)
        for magic, what, instead in _FOREIGN:
            if head.startswith(magic):
                raise InputError(f"{request.name} is {what}, not text", instead)
        if format is None:
            asked = [column for column in (text_column, label_column, id_column) if column is not None]
            format = sniff(head, request.name, asked)
            if say is not None and head.strip():
                say(f"{request.name} is read as {_READ_AS[format]}")
        if raw and format not in _CELLS:
            raise InputError(f"--raw is about CSV cells, and {request.name} is read as {format}", "leave --raw away")
        reader: Reader = FORMATS.load(format)
        rows = reader(chain([head], iter(lambda: handle.read(_BLOCK), b"")), request)
        first = next(rows, None)
        if first is None and not head.strip():
            raise InputError(f"{request.name} is empty", "give a file, or a pipe, that holds texts")
        if first is None:
            raise InputError(
                f"{request.name}, read as {format}, has no row below its header",
                "check the file; --format lines takes each line as a text",
            )
        yield first
        yield from rows


def sniff(head: bytes, name: str, asked: Collection[str] = ()) -> str:
    """The format of a file that starts with ``head``: plain lines, unless it shows itself as another.

    The first line of a table (csv, tsv) could be a header. It is one of a table if it is nothing but a known name of
    texts; if one of its names is known for texts, or was ``asked`` for, and a second one is known, too, or none begins
    with a space, as what follows a comma in a sentence does; or if none begins with a space and the rows below, two or
    more, have as many cells.
    """
    if head.startswith(b"PAR1"):
        return "parquet"
    start = head.decode(encoding_of(head, name), errors="replace").lstrip()
    if _JSON.match(start):
        return "jsonl"
    delimiter = delimiter_of(start.partition("\n")[0])
    table = _is_table(_first_rows(start, delimiter, whole=len(head) < _BLOCK), asked)
    return ("tsv" if delimiter == "\t" else "csv") if table else "lines"


def _is_table(rows: list[list[str]], asked: Collection[str]) -> bool:
    """Whether rows of cells are a table's; see ``sniff``."""
    header, below = (rows[0], rows[1:]) if rows else ([], [])
    names = [cell.strip() for cell in header]
    if not names or len(set(names)) < len(names) or not all(map(_NAME.fullmatch, names)):
        return False
    texts = [name for name in names if name in asked or guess([name], TEXT_NAMES)]
    known = [name for name in names if name in texts or guess([name], (*LABEL_NAMES, *ID_NAMES))]
    close = not any(cell.startswith(" ") for cell in header)
    if texts:
        return len(names) == 1 or close or len(known) > 1
    return len(names) > 1 and close and len(below) >= _AGREE and all(len(row) == len(names) for row in below)


def _first_rows(start: str, delimiter: str, whole: bool) -> list[list[str]]:
    """The cells of the first rows that are not empty, without one that the end of the block may have cut."""
    reader = csv.reader(io.StringIO(start, newline=""), delimiter=delimiter)
    try:
        found = list(islice((row for row in reader if row), _LOOKED_AT))
    except csv.Error:
        return []
    return found if whole or len(found) == _LOOKED_AT else found[:-1]


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"no file is called {path}", "check the path, or give - for standard input") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder", "give a file of it") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check its permissions") from None
