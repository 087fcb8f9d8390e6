"""Records of Argilla 2, as its ``dataset.records.from_json`` reads them."""

from collections.abc import Iterable
from typing import Any, TextIO

from mollia_cli.writers.base import Row, Target, fields_of, write_array


def write(rows: Iterable[Row], out: TextIO, target: Target) -> int:
    """Write one JSON array of records, one a line: field ``text``, question ``label``, metadata ``source``, ``who``
    and the imported columns.

    Every label is a suggestion with its confidence as score and its source as agent: responses
    belong to users of an Argilla server, whom a file cannot know.
    """
    return write_array(rows, out, _record)


def _record(row: Row) -> dict[str, Any]:
    suggestion = {"value": row["label"], "score": row["confidence"], "agent": row["source"]}
    return {
        "id": row["id"],
        "fields": {"text": row["text"]},
        "metadata": {**{name: row[name] for name in ("source", "who") if row[name]}, **fields_of(row)},
        "suggestions": {"label": suggestion},
        "responses": {},
        "vectors": {},
    }
