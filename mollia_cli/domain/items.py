"""Items: the texts of a project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mollia_cli.domain.digest import digest_text
from mollia_cli.domain.errors import InputError

SPLITS = ("pool", "seed", "validation", "test")
NEEDS_LABEL = ("seed", "validation")  # splits whose items are nothing without one

Gold = int | tuple[int, ...]  # a known label; where a text may have several, all that apply, ascending


@dataclass(frozen=True, slots=True)
class Item:
    """One text. ``label`` is the index of its known (gold) label, or None.

    ``labels``: in a project with several labels the indices of all that apply, ascending, or None where they are not
    known. The label of a pool item is kept for evaluation and for the oracle only. ``fields``: the other columns of its
    row in the file that it came from (values as JSON has them).
    """

    id: str
    text: str
    split: str = "pool"
    label: int | None = None
    labels: tuple[int, ...] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def gold(self) -> Gold | None:
        """What is known: ``labels`` where a text may have several, else ``label``."""
        return self.label if self.labels is None else self.labels

    def gold_names(self, names: Sequence[str]) -> str | list[str] | None:
        """What is known by name: one, or those of all that apply."""
        if self.labels is not None:
            return [names[k] for k in self.labels]
        return None if self.label is None else names[self.label]

    def with_gold(self, gold: Gold | None) -> "Item":
        """The same text with another known label, or others."""
        label, labels = (None, gold) if isinstance(gold, tuple) else (gold, None)
        return replace(self, label=label, labels=labels)


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A text that an LLM (``writer``) wrote for a label (its index). It belongs to no split."""

    id: str
    text: str
    label: int
    writer: str


def content_id(text: str) -> str:
    """The id of an item that brought none: 16 hexadecimal digits of its text's SHA-256."""
    return digest_text(text)[:16]


def check_split(name: str) -> str:
    """``name`` if it is a split; else InputError."""
    if name not in SPLITS:
        raise InputError(f"{name!r} is no split", f"give one of: {', '.join(SPLITS)}")
    return name
