"""CSV as spreadsheets read it."""

import csv
import json
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

# A spreadsheet runs a cell that starts with one of these as a formula (OWASP: CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write(rows: Iterable[Mapping[str, Any]], out: TextIO) -> int:
    """Write a header and one line a row; returns how many rows. Lists become JSON.

    Texts that a spreadsheet would run as a formula get an apostrophe in front.
    """
    writer = None
    count = 0
    for row in rows:
        count += 1
        if writer is None:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(row)
        writer.writerow([_cell(value) for value in row.values()])
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
