"""Plain text: one text a line."""

from collections.abc import Iterable, Iterator

from mollia_cli.domain.errors import InputError
from mollia_cli.readers.base import Problem, Record, Request, record
from mollia_cli.readers.text import text_lines


def read(blocks: Iterable[bytes], request: Request) -> Iterator[Record | Problem]:
    """One Record a line, without its line end. Raises InputError if a column was asked for."""
    asked = request.text or request.label or request.id
    if asked is not None:
        raise InputError(
            f"{request.name} is read as plain lines, which have no column {asked!r}",
            "leave the column options out, or name another format: --format csv|tsv|jsonl",
        )
    for line, text in enumerate(text_lines(blocks, request.name), start=1):
        yield record(text.rstrip("\r\n"), None, None, line)
