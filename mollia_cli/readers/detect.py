"""Which format a file has, and reading it."""

import csv
import io
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.files import check_local
from mollia_cli.domain.registry import Entry, Registry
from mollia_cli.readers.arrow import read_files
from mollia_cli.readers.base import ID_NAMES, LABEL_NAMES, TEXT_NAMES, Problem, Reader, Record, Request, guess
from mollia_cli.readers.csv import delimiter_of
from mollia_cli.readers.folder import dataset_files
from mollia_cli.readers.text import encoding_of, marked

FORMATS = Registry(
    "format",
    __package__,
    {
        "csv": Entry("read", "comma- or semicolon-separated, with a header"),
        "tsv": Entry("read", "tab-separated, with a header"),
        "jsonl": Entry("read", "one JSON object a line"),
        "lines": Entry("read", "plain text, one text a line"),
        "parquet": Entry("read", "Apache Parquet (needs the parquet extra)"),
        "arrow": Entry("read", "Apache Arrow, as `datasets` saves it (needs the parquet extra)"),
        "xlsx": Entry("read", "an Excel workbook's first sheet (needs the xlsx extra)"),
    },
)

_SUFFIXES = {
    **{".csv": "csv", ".tsv": "tsv", ".tab": "tsv"},
    **{".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"},
    **{".txt": "lines", ".lines": "lines", ".parquet": "parquet", ".pq": "parquet"},
    **{".arrow": "arrow", ".xlsx": "xlsx"},
}
_CELLS = ("csv", "tsv")  # formats of spreadsheets
# The first bytes of formats that are no text, and how each is read: whatever the file is called.
_BINARY = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow", b"PK\x03\x04": "xlsx"}
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet or document", "save it as .xlsx, or as CSV in UTF-8"),
    (b"%PDF", "a PDF", "extract its text first: pdftotext FILE"),
    (b"SQLite format 3\0", "an SQLite database", "export a table of it first: sqlite3 -csv -header FILE 'select ...'"),
    (b"GGUF", "an LLM", "install it: mollia models add FILE"),
    (b"BZh", "compressed with bzip2", "unpack it first: bzip2 -d FILE"),
    (b"\xfd7zXZ", "compressed with xz", "unpack it first: xz -d FILE"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it first: zstd -d FILE"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first: 7z x FILE"),
    (b"Rar!", "a RAR archive", "unpack it first: unrar x FILE"),
)
_GZIP = b"\x1f\x8b"
_CONTROL = bytes({*range(32)} - set(b"\t\n\v\f\r\x1b"))
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
    "arrow": "Arrow",
    "xlsx": "an Excel spreadsheet",
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
    several: bool = False,
) -> Iterator[Record | Problem]:
    """The rows of a file, streaming; ``format`` None goes by the suffix, then by the first bytes (see ``sniff``).

    source: may be the folder of a data set, see readers/folder.py. What is compressed with gzip is unpacked.
    name: how messages call the source. say: called with one sentence when the format was taken from the bytes, or
    columns were guessed. raw, several: see Request.
    Raises NotFoundError, or InputError for a file that cannot be read as a whole (encoding, columns) or has no row.
    """
    request = Request(name or str(source), text_column, label_column, id_column, say, raw, several)
    if format is not None:
        FORMATS.check(format)
    if isinstance(source, Path) and (files := dataset_files(source)):
        yield from _some(read_files(files, request), "a data set", True, request)
        return
    suffix = _suffix(source) if isinstance(source, Path) else ""
    with _open(source) if isinstance(source, Path) else nullcontext(source) as handle:
        blocks = _unpacked(iter(lambda: handle.read(_BLOCK), b""), request.name)
        head = next(blocks, b"")
        if format is None:
            format = _kind(head, suffix, request)
        elif format not in _BINARY.values():
            _check_text(head, request.name)
        if raw and format not in _CELLS:
            raise InputError(f"--raw is about CSV cells, and {request.name} is read as {format}", "leave --raw away")
        reader: Reader = FORMATS.load(format)
        yield from _some(reader(chain([head], blocks), request), format, bool(head.strip()), request)


def _some(rows: Iterator[Record | Problem], format: str, content: bool, request: Request) -> Iterator[Record | Problem]:
    """The rows; InputError where there is none. ``content``: the file holds more than white space."""
    first = next(rows, None)
    if first is None and not content:
        raise InputError(f"{request.name} is empty", "give a file, or a pipe, that holds texts")
    if first is None:
        raise InputError(
            f"{request.name}, read as {format}, has no row below its header",
            "check the file; --format lines takes each line as a text",
        )
    yield first
    yield from rows


def _kind(head: bytes, suffix: str, request: Request) -> str:
    """The format by the first bytes where they are of none that is text, else by the file's name, else by a look."""
    named = _SUFFIXES.get(suffix)
    asked = [column for column in (request.text, request.label, request.id) if column is not None]
    found = next((format for magic, format in _BINARY.items() if head.startswith(magic)), None)
    if found is None:
        _check_text(head, request.name)
    if found is None and named in _BINARY.values():
        what = sniff(head, request.name, asked)
        raise InputError(
            f"{request.name} is called {suffix} and is none: it looks like {what}", f"if it is: --format {what}"
        )
    if found is not None and named not in (found, None):
        request.tell(f"it is called {suffix} and is {found}: read as {found}")
    if named is None:
        found = found or sniff(head, request.name, asked)
        if request.say is not None and head.strip():
            request.say(f"{request.name} is read as {_READ_AS[found]}")
    return found or named or "lines"


def _check_text(head: bytes, name: str) -> None:
    """InputError for the first bytes of what is no text."""
    for magic, what, instead in _FOREIGN:
        if head.startswith(magic):
            raise InputError(f"{name} is {what}, not text", instead)
    if any(head.startswith(magic) for magic in _BINARY):
        raise InputError(f"{name} is a spreadsheet, a table or an archive, not text", "leave --format out")
    if head[257:262] == b"ustar":
        raise InputError(f"{name} is a tar archive, not text", "unpack it, and give a file of it: tar -xf FILE")
    if not marked(head) and _is_binary(head[:4096]):
        raise InputError(f"{name} is a binary file, not text", "give a file of texts: mollia import --help lists them")


def _is_binary(sample: bytes) -> bool:
    """A good part of it are control characters that no text has, at odd and at even places (UTF-16 has them at one)."""
    halves = sample[::2], sample[1::2]
    controls = [len(half) - len(half.translate(None, _CONTROL)) for half in halves]
    return min(controls) > 4 and min(controls) > 0.05 * len(halves[0])


def _suffix(path: Path) -> str:
    """The file's suffix, without a .gz behind it."""
    return (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


def _unpacked(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """The blocks; of a file that is compressed with gzip (it may have several parts), what is in it."""
    head = next(blocks, b"")
    if not head.startswith(_GZIP):
        yield from chain([head], blocks) if head else ()
        return
    unpack = zlib.decompressobj(wbits=31)
    for block in chain([head], blocks):
        try:
            while block:
                if unpack.eof:
                    unpack = zlib.decompressobj(wbits=31)
                if piece := unpack.decompress(block):
                    yield piece
                block = unpack.unused_data.lstrip(b"\0")  # a tape's last block is filled up with them
        except zlib.error as error:
            raise InputError(f"{name} is damaged, and cannot be unpacked with gzip: {error}", "is it whole?") from None
    if not unpack.eof:
        raise InputError(f"{name} is compressed with gzip, and cut off", "is it whole?")


def sniff(head: bytes, name: str, asked: Collection[str] = ()) -> str:
    """The format of a file that starts with ``head``: plain lines, unless it shows itself as another.

    The first line of a table (csv, tsv) could be a header. It is one of a table if it is nothing but a known name of
    texts; if one of its names is known for texts, or was ``asked`` for, and a second one is known, too, or none begins
    with a space, as what follows a comma in a sentence does; or if none begins with a space and the rows below, two or
    more, have as many cells.
    """
    for magic, format in _BINARY.items():
        if head.startswith(magic):
            return format
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
    check_local(str(path))
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"no file is called {path}", "check the path, or give - for standard input") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, and no data set of `datasets`", "give a file of it") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check its permissions") from None
