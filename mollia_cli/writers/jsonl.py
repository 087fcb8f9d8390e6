"""JSON Lines."""

import json
from collections.abc import Iterable
from typing import TextIO

from mollia_cli.writers.base import Row, Target


def write(rows: Iterable[Row], out: TextIO, target: Target) -> int:
    """Write one object a line."""
    count = 0
    for row in rows:
        count += 1
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count
