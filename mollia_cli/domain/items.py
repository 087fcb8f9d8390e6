"""Items: the texts of a project."""

from dataclasses import dataclass

from mollia_cli.domain.digest import digest_text
from mollia_cli.domain.errors import InputError

SPLITS = ("pool", "seed", "validation", "test")


@dataclass(frozen=True, slots=True)
class Item:
    """One text. ``label`` is the index of its known (gold) label, or None.

    ``labels``: in a project with several labels the indices of all that apply, ascending, or None where they are not
    known. The label of a pool item is kept for evaluation and for the oracle only.
    """

    id: str
    text: str
    split: str = "pool"
    label: int | None = None
    labels: tuple[int, ...] | None = None


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
