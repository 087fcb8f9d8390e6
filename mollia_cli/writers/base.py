"""The writer contract: rows in, a file's content out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """What a format may need beside the rows: the label set's names; ``raw``: CSV cells stay as they are."""

    labels: tuple[str, ...] = ()
    raw: bool = False


class Writer(Protocol):
    """What every format's file has as ``write``; returns how many rows it wrote.

    ``out`` takes text, or bytes for the formats in ``writers.BINARY``. The formats of other tools
    (argilla, label_studio, prodigy, spacy) need rows as ``mollia export labels`` makes them.
    """

    def __call__(self, rows: Iterable[Row], out: Any, target: Target) -> int: ...
