"""Tasks of Label Studio, as its import reads them, for a choice called ``label`` of a text called ``text``."""

from collections.abc import Iterable
from typing import Any, TextIO

from mollia_cli.writers.base import Row, Target, fields_of, write_array

_CERTAIN = ("gold", "human")
_ABOUT = ("id", "source", "who", "confidence")


def write(rows: Iterable[Row], out: TextIO, target: Target) -> int:
    """Write one JSON array of tasks, one a line.

    Gold and human labels are annotations; an aggregator's are predictions, with its name as model version and the
    confidence as score. Who labelled stands in the task's data: an annotation's user belongs to a server, which a file
    cannot know.
    """
    return write_array(rows, out, _task)


def _task(row: Row) -> dict[str, Any]:
    choice = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [row["label"]]}}
    task: dict[str, Any] = {"data": {"text": row["text"], **{name: row[name] for name in _ABOUT}, **fields_of(row)}}
    if row["source"] in _CERTAIN:
        return task | {"annotations": [{"result": [choice]}]}
    return task | {"predictions": [{"model_version": row["source"], "score": row["confidence"], "result": [choice]}]}
