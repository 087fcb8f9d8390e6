"""Texts as they are shown to people."""

import json
from typing import Any


def printable(text: str, keep: str = "") -> str:
    """Text that cannot steer a terminal or a page: control, bidirectional and format characters become escapes."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep else (" " if c.isspace() else c.encode("unicode_escape").decode())
        for c in text
    )


def printable_json(value: Any, indent: int | None = None) -> str:
    r"""JSON that reads back as ``value``, with whatever could steer a terminal as a \u escape."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.isprintable():
        return text
    # such characters stand within strings alone, but for the line ends of an indented document
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def count(n: int, noun: str) -> str:
    """So many of something, a noun or words that end with one: the plural is made with an s, or ies."""
    if n == 1:
        return f"1 {noun}"
    return f"{n:,} {noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{n:,} {noun}s"
