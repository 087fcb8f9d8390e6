"""Arrow files, as the `datasets` library's ``save_to_disk`` makes them, through pyarrow (an extra)."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from mollia_cli.domain.errors import InputError
from mollia_cli.readers.base import Line, Problem, Record, Request, records, spooled

_ROWS = 1024  # held in memory at a time


def read(blocks: Iterable[bytes], request: Request) -> Iterator[Record | Problem]:
    """One Record for each row; ``line`` is the 1-based row. Raises InputError without pyarrow, and for damage."""
    with spooled(blocks) as spool:
        yield from read_tables([spool], "Arrow", request)


def read_files(paths: Sequence[Path], request: Request) -> Iterator[Record | Problem]:
    """The rows of several files of one table (Parquet, or else Arrow), one after the other."""
    with ExitStack() as opened:
        kind = "Parquet" if paths[0].suffix == ".parquet" else "Arrow"
        yield from read_tables([opened.enter_context(path.open("rb")) for path in paths], kind, request)


def read_tables(handles: Sequence[BinaryIO], kind: str, request: Request) -> Iterator[Record | Problem]:
    """The rows of seekable files of one table; ``kind``: Parquet or Arrow.

    Raises InputError without pyarrow, for a damaged file, and as ``records``.
    """
    try:
        import pyarrow
    except ImportError:
        raise InputError(
            f"{request.name}: reading {kind} needs pyarrow", "install it: pip install 'mollia[parquet]'"
        ) from None
    try:
        tables = [_opened(handle, kind, pyarrow) for handle in handles]
        names = tables[0][0].names
        yield from records(names, _rows(tables), request)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:  # all three are Arrow's words for damage
        raise InputError(f"{request.name} cannot be read as {kind}: {str(error)[:200]}", "is it whole?") from None


def _opened(handle: BinaryIO, kind: str, pyarrow: ModuleType) -> tuple[Any, Iterator[Any]]:
    """A file's schema and its batches."""
    if kind == "Parquet":
        from pyarrow import parquet

        table = parquet.ParquetFile(handle)
        return table.schema_arrow, table.iter_batches(batch_size=_ROWS)
    whole = handle.read(6) == b"ARROW1"
    handle.seek(0)
    if whole:  # with an index at the end
        file = pyarrow.ipc.open_file(handle)
        return file.schema, (file.get_batch(n) for n in range(file.num_record_batches))
    stream = pyarrow.ipc.open_stream(handle)
    return stream.schema, iter(stream)


def _rows(tables: Iterable[tuple[Any, Iterator[Any]]]) -> Iterator[Line]:
    row = 0
    for schema, batches in tables:
        named = {name: _label(names) for name, names in _class_labels(schema).items()}
        for batch in batches:
            cells = dict(zip(batch.schema.names, batch.columns, strict=True))
            for position in range(batch.num_rows):
                row += 1
                yield row, _row(cells, named, position, row)


def _row(
    cells: dict[str, Any], named: dict[str, Callable[[Any], Any]], position: int, row: int
) -> dict[str, Any] | Problem:
    try:
        found = {name: column[position].as_py() for name, column in cells.items()}
    except UnicodeDecodeError as error:  # Arrow does not check the strings that it reads
        return Problem(row, f"byte 0x{error.object[error.start]:02X} in it is not UTF-8")
    return found | {name: name_of(found[name]) for name, name_of in named.items()}


def _label(names: Sequence[str]) -> Callable[[Any], Any]:
    """A number of ``datasets.ClassLabel`` as its name; -1 is no label there."""
    return lambda value: names[value] if isinstance(value, int) and 0 <= value < len(names) else None


def _class_labels(schema: Any) -> dict[str, list[str]]:
    """The names of the columns that are a ``datasets.ClassLabel``: `datasets` puts its features into the schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature["names"] for name, feature in features.items() if "names" in feature}
    except (KeyError, TypeError, ValueError):  # no file of that library
        return {}
