"""What a section of a report is made of; the templates know how each block looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mollia_cli.domain.report import Example


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; the first cell of a row is its header. Cells: text, numbers, or None for unknown."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    @property
    def numeric(self) -> list[bool]:
        """For each column, whether it holds no words."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.columns)
        return [not any(isinstance(cell, str) for cell in cells) for cells in columns]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of ``table``: SVG elements on width x height units, and what they show in words."""

    name: str
    title: str
    description: str
    width: float
    height: float
    body: str
    table: Table


@dataclass(frozen=True, slots=True)
class Gallery:
    """Charts beside each other where there is room."""

    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True)
class Cards:
    """Examples, one card each."""

    title: str
    examples: Sequence[Example]


@dataclass(frozen=True, slots=True)
class Code:
    """Text as it stands in a file."""

    caption: str
    text: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What is missing, and what to type next."""

    text: str
    command: str


Block = Words | Table | Chart | Gallery | Cards | Code | Advice


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report under its own heading; ``key`` is its address in the page."""

    key: str
    title: str
    blocks: Sequence[Block]
