"""Which format a file has, and reading it."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.files import check_local
from mollia_cli.domain.registry import Entry, Registry
from mollia_cli.readers.arrow import read_files
from mollia_cli.readers.base import TEXT_NAMES, Problem, Reader, Record, Request, guess
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
    """The rows of a file, streaming; ``format`` None goes by the suffix, then by the first bytes.

    source: may be the folder of a data set, see readers/folder.py. What is compressed with gzip is unpacked.

    name: how messages call the source. say: called with one sentence when columns were guessed. raw: see Request.
    Raises NotFoundError, or InputError for a file that cannot be read as a whole (encoding, columns).
    """
    request = Request(name or str(source), text_column, label_column, id_column, say, raw)
    if format is not None:
        FORMATS.check(format)
    if isinstance(source, Path) and (files := dataset_files(source)):
        yield from read_files(files, request)
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
        yield from reader(chain([head], blocks), request)


def _kind(head: bytes, suffix: str, request: Request) -> str:
    """The format by the first bytes where they are of none that is text, else by the file's name, else by a look."""
    named = _SUFFIXES.get(suffix)
    found = next((format for magic, format in _BINARY.items() if head.startswith(magic)), None)
    if found is None:
        _check_text(head, request.name)
    if found is None and named in _BINARY.values():
        what = sniff(head, request.name)
        raise InputError(
            f"{request.name} is called {suffix} and is none: it looks like {what}", f"if it is: --format {what}"
        )
    if found is not None and named not in (found, None):
        request.tell(f"it is called {suffix} and is {found}: read as {found}")
    return found or named or sniff(head, request.name)


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


def sniff(head: bytes, name: str) -> str:
    """The format of a file that starts with ``head``: plain lines, unless it shows itself as another."""
    for magic, format in _BINARY.items():
        if head.startswith(magic):
            return format
    start = head.decode(encoding_of(head, name), errors="replace").lstrip()
    if start.startswith(("{", "[")):
        return "jsonl"
    header = start.splitlines()[0] if start else ""
    delimiter = delimiter_of(header)
    if guess([cell.strip('" ') for cell in header.split(delimiter)], TEXT_NAMES) is None:
        return "lines"
    return "tsv" if delimiter == "\t" else "csv"


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
