"""The writer contract: rows in, a file's content out."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

Row = Mapping[str, Any]


# The columns of `mollia export labels` that are mollia's; what else a row has was imported with the text.
OWN = ("id", "text", "label", "confidence", "source", "who", "negatives")


@dataclass(frozen=True, slots=True)
class Target:
    """What a format may need beside the rows: the label set's names; ``raw``: CSV cells stay as they are.

    ``fields``: what the columns beside OWN hold: integer, real, boolean, text, or json where it is several of them.
    """

    labels: tuple[str, ...] = ()
    raw: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)


class Writer(Protocol):
    """What every format's file has as ``write``; returns how many rows it wrote.

    ``out`` takes text, or bytes for the formats in ``writers.BINARY``. The formats of other tools
    (argilla, label_studio, prodigy, spacy) need rows as ``mollia export labels`` makes them.
    """

    def __call__(self, rows: Iterable[Row], out: Any, target: Target) -> int: ...


def write_array(rows: Iterable[Row], out: TextIO, made: Callable[[Row], Mapping[str, Any]]) -> int:
    """One JSON array of what is ``made`` of each row, one a line; how many they are."""
    count = 0
    for row in rows:
        out.write(("[\n" if count == 0 else ",\n") + json.dumps(made(row), ensure_ascii=False))
        count += 1
    out.write("\n]\n" if count else "[]\n")
    return count


def fields_of(row: Row) -> dict[str, Any]:
    """A row's columns beside OWN that are not empty."""
    return {name: value for name, value in row.items() if name not in OWN and value is not None}


def as_typed(row: Row, fields: Mapping[str, str]) -> Row:
    """A row for a format whose columns have one type each: what is "json" becomes a text."""
    mixed = [name for name, kind in fields.items() if kind == "json" and row.get(name) is not None]
    return {**row, **{name: json.dumps(row[name], ensure_ascii=False) for name in mixed}} if mixed else row
