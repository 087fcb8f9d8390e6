"""JSON Lines."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TextIO


def write(rows: Iterable[Mapping[str, Any]], out: TextIO) -> int:
    """Write one object a line; returns how many."""
    count = 0
    for row in rows:
        count += 1
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count
