"""Tab-separated values with a header, quoted as in CSV."""

from collections.abc import Iterable, Iterator

from mollia_cli.readers.base import Problem, Record, Request
from mollia_cli.readers.csv import read_rows


def read(blocks: Iterable[bytes], request: Request) -> Iterator[Record | Problem]:
    """One Record for each row below the header."""
    return read_rows(blocks, request, "\t")
