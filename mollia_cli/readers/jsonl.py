"""JSON lines: one object a line."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from mollia_cli.domain.errors import InputError
from mollia_cli.readers.base import Line, Problem, Record, Request, records
from mollia_cli.readers.text import text_lines


def read(blocks: Iterable[bytes], request: Request) -> Iterator[Record | Problem]:
    """One Record for each line that is not blank.

    The columns are those of the first object; a later one may lack its label or id. Raises
    InputError if the first lacks a column that was asked for, or the file is one JSON array.
    """
    yield from records(None, _rows(text_lines(blocks, request.name), request), request)


def _rows(lines: Iterable[str], request: Request) -> Iterator[Line]:
    seen = False
    for line, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        if not seen and raw.lstrip().startswith("["):
            raise InputError(
                f"{request.name} is one JSON array, not one object a line",
                f"convert it: jq -c '.[]' {request.name} > items.jsonl",
            )
        row = _object(raw, line)
        seen = seen or not isinstance(row, Problem)
        yield line, row


def _object(raw: str, line: int) -> dict[str, Any] | Problem:
    try:
        value = json.loads(raw)
    except json.JSONDecodeError as error:
        return Problem(line, f"not JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits; 100,000 nested lists
        return Problem(line, f"not usable JSON: {str(error)[:100]}")
    return value if isinstance(value, dict) else Problem(line, 'not a JSON object, such as {"text": "..."}')
