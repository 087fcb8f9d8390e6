"""CSV as spreadsheets read it (RFC 4180)."""

import csv
import json
import re
from collections.abc import Iterable
from typing import Any, TextIO

from mollia_cli.writers.base import Row, Target

# A spreadsheet runs a cell that starts with one of = + - @ tab CR as a formula (OWASP: CSV injection). Apostrophes
# before it are matched too, so that the rule can be undone: readers/csv.py takes exactly one away again.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write(rows: Iterable[Row], out: TextIO, target: Target) -> int:
    """Write a header and one line a row. Lists become JSON.

    Unless ``target.raw``, a text that starts with = + - @ tab or CR, or with apostrophes and then
    one of them, gets an apostrophe in front.
    """
    writer = None
    count = 0
    for row in rows:
        count += 1
        if writer is None:
            # CRLF is the standard's, and has Python quote a cell that holds a CR
            writer = csv.writer(out, lineterminator="\r\n")
            writer.writerow(row)
        writer.writerow([_cell(value, target.raw) for value in row.values()])
    return count


def _cell(value: Any, raw: bool) -> Any:
    if isinstance(value, str):
        return f"'{value}" if not raw and _FORMULA.match(value) else value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
