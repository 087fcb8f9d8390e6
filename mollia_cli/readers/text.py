"""Bytes to lines of text. The encoding is never guessed: it is UTF-8, or what a byte order mark says."""

import codecs
import io
from collections.abc import Iterable, Iterator
from itertools import chain

from mollia_cli.domain.errors import InputError

MAX_LINE = 8_000_000  # characters; keeps memory bounded where a file has no line ends at all

# UTF-32-LE's mark begins with UTF-16-LE's, so it is looked for first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def marked(head: bytes) -> str:
    """The codec that a byte order mark names; "" without one."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "")


def encoding_of(head: bytes, name: str) -> str:
    """The codec for a file that starts with ``head``. Raises InputError for UTF-16 without its mark."""
    if encoding := marked(head):
        return encoding
    sample = head[:4096]
    for first, encoding in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        half = sample[first::2]
        if len(half) >= 4 and half.count(0) > 0.4 * len(half):
            raise InputError(f"{name} looks like {encoding} without a byte order mark", _convert(encoding, name))
    return "utf-8"


def text_lines(blocks: Iterable[bytes], name: str) -> Iterator[str]:
    r"""Lines with their ends (\n, \r\n or \r), decoded as they are needed.

    Raises InputError for a byte that is not of the encoding, with its line and its place in the
    file, and for a line of more than MAX_LINE characters.
    """
    decoder: codecs.IncrementalDecoder | None = None
    newlines = io.IncrementalNewlineDecoder(None, translate=False)  # holds a \r back until its \n may have come
    line, read, pending = 1, 0, io.StringIO()
    for block in chain(blocks, [b""]):
        decoder = decoder or codecs.getincrementaldecoder(encoding_of(block, name))()
        read += len(block)
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            good = error.object[: error.start].decode(error.encoding)
            start = pending.getvalue() + newlines.decode(good, final=True)
            line += sum(map(_ends, io.StringIO(start, newline="")))
            raise _undecodable(error, name, line, read - len(error.object) + error.start) from None
        text = newlines.decode(text, final=not block)
        if "\n" in text or "\r" in text:
            for piece in io.StringIO(pending.getvalue() + text, newline=""):
                if _ends(piece):
                    yield piece
                    line += 1
            text, pending = ("" if _ends(piece) else piece), io.StringIO()
        pending.write(text)
        if pending.tell() > MAX_LINE:
            raise InputError(f"{name}: line {line} has more than {MAX_LINE:,} characters", "is it a text file?")
    if pending.tell():
        yield pending.getvalue()


def _ends(line: str) -> bool:
    return line.endswith(("\n", "\r"))


def _undecodable(error: UnicodeDecodeError, name: str, line: int, offset: int) -> InputError:
    byte = f"byte 0x{error.object[error.start]:02X} at position {offset + 1:,} of the file"
    return InputError(
        f"{name}: line {line}: {byte} is not {error.encoding.upper()}",
        _convert("WINDOWS-1252", name) if error.encoding == "utf-8" else "the file is damaged or cut off",
    )


def _convert(encoding: str, name: str) -> str:
    source = "FILE" if name.startswith("<") or name in ("-", "standard input") else name
    return f"if it is {encoding}, convert it: iconv -f {encoding} -t UTF-8 {source!r} > utf8.txt"
