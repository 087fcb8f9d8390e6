"""JSON lines: one object a line."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from mollia_cli.domain.errors import InputError
from mollia_cli.readers.base import Columns, Problem, Record, Request, record
from mollia_cli.readers.text import text_lines


def read(blocks: Iterable[bytes], request: Request) -> Iterator[Record | Problem]:
    """One Record for each line that is not blank.

    The columns are those of the first object; a later one may lack its label or id. Raises
    InputError if the first lacks a column that was asked for, or the file is one JSON array.
    """
    columns: Columns | None = None
    for line, raw in enumerate(text_lines(blocks, request.name), start=1):
        if not raw.strip():
            continue
        if columns is None and raw.lstrip().startswith("["):
            raise InputError(
                f"{request.name} is one JSON array, not one object a line",
                f"convert it: jq -c '.[]' {request.name} > items.jsonl",
            )
        row = _object(raw, line)
        if isinstance(row, Problem):
            yield row
            continue
        columns = columns or request.columns(list(row))
        if columns.text in row:
            label, own_id = (None if name is None else row.get(name) for name in (columns.label, columns.id))
            yield record(row[columns.text], request.label_of(label), own_id, line, columns.text)
        else:
            there = ", ".join(map(repr, row))[:200] or "nothing"
            yield Problem(line, f"the object has no {columns.text!r}; it has {there}")


def _object(raw: str, line: int) -> dict[str, Any] | Problem:
    try:
        value = json.loads(raw)
    except json.JSONDecodeError as error:
        return Problem(line, f"not JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits; 100,000 nested lists
        return Problem(line, f"not usable JSON: {str(error)[:100]}")
    return value if isinstance(value, dict) else Problem(line, 'not a JSON object, such as {"text": "..."}')
