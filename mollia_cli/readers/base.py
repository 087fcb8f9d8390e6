"""The reader contract: a file's bytes in, one Record or Problem for each row out."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mollia_cli.domain.errors import InputError

MAX_TEXT = 1_000_000  # characters; a longer "text" is a quote that never closed, not a text

TEXT_NAMES = (
    *("text", "texts", "content", "body", "message", "question", "sentence", "review", "utterance"),
    *("document", "comment", "description", "query", "tweet", "title", "abstract"),
)
LABEL_NAMES = ("label", "labels", "label_text", "category", "class", "target", "intent", "topic", "tag")
ID_NAMES = ("id", "ids", "uid", "uuid", "guid", "key", "_id", "item_id", "text_id", "doc_id", "ticket_id")


@dataclass(frozen=True, slots=True)
class Record:
    """One text of a file. ``line``: the 1-based line that it starts on (the row, in a Parquet file)."""

    text: str
    label: str | None
    id: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that cannot be used, and why. ``line`` as in Record."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns to read; None where there is none."""

    text: str
    label: str | None
    id: str | None

    def __str__(self) -> str:
        used = {"text": self.text, "label": self.label, "id": self.id}
        return ", ".join(f"{role} = column {name!r}" for role, name in used.items() if name is not None)


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asked for: the source's name in messages, the columns (None = guess), who hears of a guess.

    ``raw``: CSV cells are taken as they are, see readers/csv.py. ``several``: a label may be a list, and becomes JSON.
    """

    name: str
    text: str | None = None
    label: str | None = None
    id: str | None = None
    say: Callable[[str], None] | None = None
    raw: bool = False
    several: bool = False

    def label_of(self, value: Any) -> Any:
        """A label's cell as ``record`` takes it."""
        listed = self.several and isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
        return json.dumps(value, ensure_ascii=False) if listed else value

    def columns(self, there: Sequence[str]) -> Columns:
        """The columns to read of those there are.

        Raises InputError naming the file, the column and the columns there are.
        """
        taken = {name for name in (self.text, self.label, self.id) if name is not None}
        free = [name for name in there if name not in taken]
        text = self._given(self.text, there, "text") or guess(free, TEXT_NAMES)
        if text is None:
            raise InputError(
                f"{self.name}: no column looks like the text; columns: {_listed(there)}",
                "name it, for example: --text-column " + (there[0] if there else "NAME"),
            )
        label = self._given(self.label, there, "label") or guess(free, LABEL_NAMES)
        own = self._given(self.id, there, "id") or guess(free, ID_NAMES)
        columns = Columns(text, label, own)
        for name in (text, label, own):
            if name is not None and list(there).count(name) > 1:
                raise InputError(
                    f"{self.name}: column {name!r} is there more than once; columns: {_listed(there)}",
                    "rename one of them in the file's header",
                )
        if self.say is not None and (self.text, self.label, self.id) != (text, label, own):
            self.say(f"{self.name}: {columns}")
        return columns

    def _given(self, column: str | None, there: Sequence[str], role: str) -> str | None:
        if column is not None and column not in there:
            raise InputError(
                f"{self.name}: no column is called {column!r}; columns: {_listed(there)}",
                f"give one of them: --{role}-column NAME",
            )
        return column


class Reader(Protocol):
    """What every format's file has as ``read``: blocks of bytes in, rows out, streaming."""

    def __call__(self, blocks: Iterable[bytes], request: Request) -> Iterator[Record | Problem]: ...


def guess(there: Sequence[str], names: Sequence[str]) -> str | None:
    """The column whose name comes first in ``names``, ignoring case, spaces and hyphens."""
    by_name = {_folded(column): column for column in reversed(there)}
    return next((by_name[name] for name in names if name in by_name), None)


def record(text: Any, label: Any, own_id: Any, line: int, text_column: str = "text") -> Record | Problem:
    """A Record from raw cells, or the Problem that keeps them from being one."""
    if text is None or (isinstance(text, str) and not text.strip()):
        return Problem(line, "the text is empty")
    if not isinstance(text, str):
        return Problem(line, f"{text_column!r} is {_kind(text)}, not a text")
    if len(text) > MAX_TEXT:
        return Problem(line, f"the text has {len(text):,} characters; the most is {MAX_TEXT:,}")
    try:
        label, own_id = _name(label, "label"), _name(own_id, "id")
    except ValueError as error:
        return Problem(line, str(error))
    for role, value in (("text", text), ("label", label), ("id", own_id)):
        fault = _unusable(value)
        if fault:
            return Problem(line, f"the {role} holds {fault}")
    return Record(text, label, own_id, line)


def _name(value: Any, role: str) -> str | None:
    """A label or id as a string: integers and booleans as JSON spells them, None for an empty cell."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int)):
        return str(value).strip() or None
    raise ValueError(f"the {role} is {_kind(value)}, not a string or an integer")


def _unusable(value: str | None) -> str | None:
    if value is None or (value.isascii() and "\0" not in value):
        return None
    if "\0" in value:
        return f"a NUL character at position {value.index(chr(0)) + 1}"
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return f"half a character (U+{ord(value[error.start]):04X}) at position {error.start + 1}"
    return None


def _kind(value: Any) -> str:
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "true or false"),
        ((int, float), "a number"),
        (bytes, "raw bytes"),
        ((list, tuple), "a list"),
        (dict, "an object"),
    )
    return next((word for kind, word in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


def _folded(column: str) -> str:
    return "_".join(column.casefold().replace("-", " ").split())


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(name if len(name) <= 60 else name[:57] + "...") for name in columns[:30])
    return (shown + (f" and {len(columns) - 30} more" if len(columns) > 30 else "")) or "none"
