"""Parquet, through pyarrow (an extra)."""

from collections.abc import Iterable, Iterator

from mollia_cli.readers.arrow import read_tables
from mollia_cli.readers.base import Problem, Record, Request, spooled


def read(blocks: Iterable[bytes], request: Request) -> Iterator[Record | Problem]:
    """One Record for each row; ``line`` is the 1-based row. Raises InputError without pyarrow, and for damage."""
    with spooled(blocks) as spool:
        yield from read_tables([spool], "Parquet", request)
