"""Parquet, through pyarrow (an extra)."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, BinaryIO

from mollia_cli.domain.errors import InputError
from mollia_cli.writers.base import Row, Target, as_typed

_ROWS = 1024  # held in memory at a time
_COLUMNS = {
    **{"id": "string", "text": "string", "label": "string", "confidence": "double", "source": "string"},
    "who": "string",
    "negatives": "list of strings",
}


def write(rows: Iterable[Row], out: BinaryIO, target: Target) -> int:
    """Write labelled rows: strings, ``confidence`` as double, ``negatives`` as a list of strings, fields by their kind.

    Raises InputError without pyarrow.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError("writing Parquet needs pyarrow", "install it: pip install 'mollia[parquet]'") from None
    types: dict[str, Any] = {
        "string": pyarrow.string(),
        "double": pyarrow.float64(),
        "list of strings": pyarrow.list_(pyarrow.string()),
    }
    kinds = {"integer": pyarrow.int64(), "real": pyarrow.float64(), "boolean": pyarrow.bool_()}
    columns = [(name, types[kind]) for name, kind in _COLUMNS.items()]
    columns += [(name, kinds.get(kind, pyarrow.string())) for name, kind in target.fields.items()]
    schema = pyarrow.schema(columns)
    left, count = (as_typed(row, target.fields) for row in rows), 0
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        while batch := list(islice(left, _ROWS)):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))
            count += len(batch)
    return count
