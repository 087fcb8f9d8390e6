"""The reader contract: a file's bytes in, one Record or Problem for each row out."""

import json
import math
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, time
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count

MAX_TEXT = 1_000_000  # characters; a longer "text" is a quote that never closed, not a text

TEXT_NAMES = (
    *("text", "texts", "full_text", "body_text", "text_body", "article_text", "content", "body", "message"),
    *("question", "sentence", "review", "utterance", "document", "article", "comment", "description", "query"),
    *("tweet", "post", "feedback", "abstract", "summary", "headline", "title", "subject"),
)
LABEL_NAMES = ("label", "labels", "label_text", "category", "class", "target", "intent", "topic", "tag")
ID_NAMES = ("id", "ids", "uid", "uuid", "guid", "key", "_id", "item_id", "text_id", "doc_id", "ticket_id")
# The last word of a name that is no text's, however long the cells are: article_id, "Page URL", emailKey, ...
_NO_TEXT = frozenset(("id", "ids", "uid", "uuid", "guid", "key", "url", "uri", "hash", "email", "date", "timestamp"))
_INT64 = 1 << 63
SAMPLE = 100  # rows that are looked at to find the text where no column is called like one


@dataclass(frozen=True, slots=True)
class Record:
    """One text of a file. ``line``: the 1-based line that it starts on (the row, in a table that is no text).

    ``fields``: the row's other columns that are not empty, as JSON has them.
    """

    text: str
    label: str | None
    id: str | None
    line: int
    fields: Mapping[str, Any] = field(default_factory=dict)


# A row of a table with the line that it starts on: its cells by column, or why there are none.
Line = tuple[int, "Mapping[str, Any] | Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that cannot be used, and why. ``line`` as in Record."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns to read; None where there is none. ``why`` that is the text's, where its name says nothing.

    ``others``: the columns that are kept beside the text.
    """

    text: str
    label: str | None
    id: str | None
    others: tuple[str, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        used = {"text": self.text, "label": self.label, "id": self.id}
        parts = [f"{role} = column {name!r}" for role, name in used.items() if name is not None]
        parts[0] += self.why
        kept = [f"other columns: {_listed(self.others)}"] if self.others else []
        return "; ".join([", ".join(parts), *kept])


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

    def columns(self, there: Sequence[str], sample: Sequence[Mapping[str, Any]] = ()) -> Columns:
        """The columns to read of those there are; ``sample``: the cells of the first rows.

        The text is the column whose name comes first in TEXT_NAMES, else the longest one of texts, see ``longest``.
        Raises InputError naming the file, the column and the columns there are.
        """
        taken = {name for name in (self.text, self.label, self.id) if name is not None}
        free = [name for name in there if name not in taken]
        label = self._given(self.label, there, "label") or guess(free, LABEL_NAMES)
        own = self._given(self.id, there, "id") or guess(free, ID_NAMES)
        text, why = self._given(self.text, there, "text") or guess(free, TEXT_NAMES), ""
        if text is None:
            text, why = longest([name for name in free if name not in (label, own)], sample), " (the longest texts)"
        if text is None:
            raise InputError(
                f"{self.name}: no column looks like the text; columns: {_listed(there)}",
                f"name it: --text-column {next((name for name in free if not _no_text(name)), 'NAME')}",
            )
        others = dict.fromkeys(name for name in there if name not in (text, label, own))
        columns = Columns(text, label, own, tuple(others), why)
        for name in (text, label, own):
            if name is not None and list(there).count(name) > 1:
                raise InputError(
                    f"{self.name}: column {name!r} is there more than once; columns: {_listed(there)}",
                    "rename one of them in the file's header",
                )
        if (self.text, self.label, self.id) != (text, label, own) or others:
            self.tell(str(columns))
        return columns

    def tell(self, remark: str) -> None:
        """Say something of the file."""
        if self.say is not None:
            self.say(f"{self.name}: {remark}")

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
    """The column whose name comes first in ``names``, ignoring case, spaces, hyphens and underscores."""
    by_name = {"".join(_words(column)): column for column in reversed(there)}
    return next((by_name[key] for name in names if (key := name.replace("_", "")) in by_name), None)


def longest(there: Sequence[str], sample: Sequence[Mapping[str, Any]]) -> str | None:
    """The column of texts that are the longest in the mean, none that is called as an id, an address or a time is.

    Most of its cells must be prose: numbers, times, codes and addresses are none.
    """
    means: dict[str, float] = {}
    for name in there:
        cells = [cell for row in sample if isinstance(cell := row.get(name), str) and cell.strip()]
        if not _no_text(name) and 2 * sum(map(_prose, cells)) > len(cells):
            means[name] = sum(map(len, cells)) / len(cells)
    return max(means, key=means.__getitem__, default=None)


def _no_text(column: str) -> bool:
    return _words(column)[-1] in _NO_TEXT


def _prose(cell: str) -> bool:
    """More than half of it are letters, and it has several words, or is of a script that may not part them."""
    return 2 * sum(map(str.isalpha, cell)) > len(cell) and (not cell.isascii() or len(cell.split()) > 1)


def records(there: Sequence[str] | None, lines: Iterable[Line], request: Request) -> Iterator[Record | Problem]:
    """What a table's reader returns: the columns are found by the header and the first rows, then row by row.

    there: the table's columns; None for those of the first row, where each row names its own. Raises InputError as
    ``Request.columns`` does.
    """
    left = iter(lines)
    first = list(islice(left, SAMPLE))
    sample = [row for _, row in first if not isinstance(row, Problem)]
    if there is None and not sample:
        yield from (row for _, row in chain(first, left) if isinstance(row, Problem))
        return
    columns = request.columns(list(sample[0]) if there is None else there, sample)
    used = (columns.text, columns.label, columns.id)
    for line, row in chain(first, left):
        if isinstance(row, Problem):
            yield row
        elif columns.text not in row:
            yield Problem(line, f"the object has no {columns.text!r}; it has {_listed(list(row))[:200]}")
        else:
            text, label, own_id = (None if name is None else row.get(name) for name in used)
            fields = {
                str(_kept(name)): kept
                for name in row
                if name not in used and (kept := _kept(row[name])) not in (None, "")
            }
            yield record(text, request.label_of(label), own_id, line, columns.text, fields)


def unique(header: Sequence[str]) -> list[str]:
    """The header with a name for each column: "column 3" for an empty one, "date (2)" for a second "date"."""
    names: dict[str, None] = {}
    for place, cell in enumerate(header, 1):
        name, again = cell or f"column {place}", 1
        while name in names:
            again += 1
            name = f"{cell} ({again})"
        names[name] = None
    return list(names)


@contextmanager
def spooled(blocks: Iterable[bytes]) -> Iterator[BinaryIO]:
    """The blocks in a temporary file: some formats have their index at the end."""
    with tempfile.TemporaryFile() as spool:
        for block in blocks:
            spool.write(block)
        spool.seek(0)
        yield spool


def _kept(value: Any) -> Any:
    """A cell of another column as JSON has it; None for what JSON has not, such as bytes."""
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        # half characters and NUL can be written to no file of texts
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_kept(part) for part in value]
    if isinstance(value, Mapping):
        return {str(_kept(key)): _kept(part) for key, part in value.items()}
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else str(value)
    return None


def record(
    text: Any,
    label: Any,
    own_id: Any,
    line: int,
    text_column: str = "text",
    fields: Mapping[str, Any] = MappingProxyType({}),
) -> Record | Problem:
    """A Record from raw cells, or the Problem that keeps them from being one."""
    if text is None or (isinstance(text, str) and not text.strip()):
        return Problem(line, "the text is empty")
    if not isinstance(text, str):
        return Problem(line, f"{text_column!r} is {_kind(text)}, not a text")
    if len(text) > MAX_TEXT:
        return Problem(line, f"the text has {count(len(text), 'character')}; the most is {MAX_TEXT:,}")
    try:
        label, own_id = _name(label, "label"), _name(own_id, "id")
    except ValueError as error:
        return Problem(line, str(error))
    for role, value in (("text", text), ("label", label), ("id", own_id)):
        fault = _unusable(value)
        if fault:
            return Problem(line, f"the {role} holds {fault}")
    return Record(text, label, own_id, line, fields)


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


def _words(column: str) -> list[str]:
    """The words of a column's name: "articleID", "Article Id" and "article_id" are the same two."""
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", column).casefold()
    return re.split(r"[\W_]+", parts.strip())


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(name if len(name) <= 60 else name[:57] + "...") for name in columns[:30])
    return (shown + (f" and {len(columns) - 30} more" if len(columns) > 30 else "")) or "none"
