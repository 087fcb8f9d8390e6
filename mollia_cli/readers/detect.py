"""Which format a file has, and reading it."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.registry import Entry, Registry
from mollia_cli.readers.base import TEXT_NAMES, Problem, Reader, Record, Request, guess
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
    several: bool = False,
) -> Iterator[Record | Problem]:
    """The rows of a file, streaming; ``format`` None goes by the suffix, then by the first bytes.

    name: how messages call the source. say: called with one sentence when columns were guessed. raw, several: see
    Request.
    Raises NotFoundError, or InputError for a file that cannot be read as a whole (encoding, columns).
    """
    request = Request(name or str(source), text_column, label_column, id_column, say, raw, several)
    if format is not None:
        FORMATS.check(format)
    elif isinstance(source, Path):
        format = _SUFFIXES.get(source.suffix.lower())
    with _open(source) if isinstance(source, Path) else nullcontext(source) as handle:
        head = handle.read(_BLOCK)
        for magic, what, instead in _FOREIGN:
            if head.startswith(magic):
                raise InputError(f"{request.name} is {what}, not text", instead)
        format = format or sniff(head, request.name)
        if raw and format not in _CELLS:
            raise InputError(f"--raw is about CSV cells, and {request.name} is read as {format}", "leave --raw away")
        reader: Reader = FORMATS.load(format)
        yield from reader(chain([head], iter(lambda: handle.read(_BLOCK), b"")), request)


def sniff(head: bytes, name: str) -> str:
    """The format of a file that starts with ``head``: plain lines, unless it shows itself as another."""
    if head.startswith(b"PAR1"):
        return "parquet"
    start = head.decode(encoding_of(head, name), errors="replace").lstrip()
    if start.startswith(("{", "[")):
        return "jsonl"
    header = start.splitlines()[0] if start else ""
    delimiter = delimiter_of(header)
    if guess([cell.strip('" ') for cell in header.split(delimiter)], TEXT_NAMES) is None:
        return "lines"
    return "tsv" if delimiter == "\t" else "csv"


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"no file is called {path}", "check the path, or give - for standard input") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder", "give a file of it") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check its permissions") from None
