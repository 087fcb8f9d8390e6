"""Parquet, through pyarrow (an extra)."""

import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from mollia_cli.domain.errors import InputError
from mollia_cli.readers.base import Columns, Problem, Record, Request, record

_ROWS = 1024  # held in memory at a time


def read(blocks: Iterable[bytes], request: Request) -> Iterator[Record | Problem]:
    """One Record for each row; ``line`` is the 1-based row.

    Raises InputError without pyarrow, and for a damaged file. The blocks are spooled to a
    temporary file first: Parquet's index stands at the end.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(
            f"{request.name}: reading Parquet needs pyarrow", "install it: pip install 'mollia[parquet]'"
        ) from None
    with tempfile.TemporaryFile() as spool:
        for block in blocks:
            spool.write(block)
        spool.seek(0)
        try:
            table = parquet.ParquetFile(spool)
            columns = request.columns(table.schema_arrow.names)
            wanted = [name for name in (columns.text, columns.label, columns.id) if name is not None]
            row = 0
            for batch in table.iter_batches(batch_size=_ROWS, columns=wanted):
                cells = {name: batch.column(name) for name in wanted}
                for position in range(batch.num_rows):
                    row += 1
                    yield _record(cells, columns, position, row, request)
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:  # all three are Arrow's words for damage
            raise InputError(f"{request.name} cannot be read as Parquet: {str(error)[:200]}", "is it whole?") from None


def _record(cells: dict[str, Any], columns: Columns, position: int, row: int, request: Request) -> Record | Problem:
    names = (columns.text, columns.label, columns.id)
    try:
        text, label, own_id = (None if name is None else cells[name][position].as_py() for name in names)
    except UnicodeDecodeError as error:  # Arrow does not check the strings that it reads
        return Problem(row, f"byte 0x{error.object[error.start]:02X} in it is not UTF-8")
    return record(text, request.label_of(label), own_id, row, columns.text)
