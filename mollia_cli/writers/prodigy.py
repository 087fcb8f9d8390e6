"""Tasks of Prodigy's ``choice`` interface, as its ``textcat.manual --exclusive`` makes them."""

import json
from collections.abc import Iterable
from typing import Any, TextIO

from mollia_cli.writers.base import Row, Target, fields_of

_CERTAIN = ("gold", "human")


def write(rows: Iterable[Row], out: TextIO, target: Target) -> int:
    """Write one task a line: the label is ``accept``ed among the ``options``.

    Gold and human labels are answered (``"answer": "accept"``: for ``db-in``); an aggregator's are
    not, so that a recipe shows them as preselected options.
    """
    options = [{"id": name, "text": name} for name in target.labels]
    count = 0
    for row in rows:
        count += 1
        out.write(json.dumps(_task(row, options), ensure_ascii=False) + "\n")
    return count


def _task(row: Row, options: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "text": row["text"],
        "options": options,
        "accept": [row["label"]],
        **({"answer": "accept"} if row["source"] in _CERTAIN else {}),
        "config": {"choice_style": "single"},
        "_view_id": "choice",
        "meta": {
            **{name: row[name] for name in ("id", "source", "who", "confidence") if row[name] != ""},
            **fields_of(row),
        },
    }
