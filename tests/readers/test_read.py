"""Every format, table by table: what comes out, and on which line what does not."""

import io
import json
import re
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.readers import FORMATS, Problem, Record, read
from mollia_cli.readers.base import MAX_TEXT
from mollia_cli.readers.detect import sniff


def rows(data: bytes | str, format: str | None = None, **options: str) -> list[Record | Problem]:
    """The rows of some bytes, as if from standard input."""
    raw = data.encode() if isinstance(data, str) else data
    return list(read(io.BytesIO(raw), format, name="-", **options))


def record(text: str, label: str | None = None, id: str | None = None, line: int = 1) -> Record:
    return Record(text, label, id, line)


GOOD = {
    "csv": ("csv", "text,label\na b,x\nc,\n", [record("a b", "x", None, 2), record("c", None, None, 3)]),
    "csv quoted": ("csv", 'id,text\n7,"a, ""b"""\n', [record('a, "b"', None, "7", 2)]),
    "csv semicolons": ("csv", "text;label\na, b;x\n", [record("a, b", "x", None, 2)]),
    "csv tabs": ("csv", "text\tlabel\na, b\tx\n", [record("a, b", "x", None, 2)]),
    "csv embedded newlines": (
        "csv",
        'text,label\n"one\ntwo\r\nthree",x\nnext,y\n',
        [record("one\ntwo\r\nthree", "x", None, 2), record("next", "y", None, 5)],
    ),
    "csv CRLF, blank line, no final newline": (
        "csv",
        "text,label\r\na,x\r\n\r\nb,y",
        [record("a", "x", None, 2), record("b", "y", None, 4)],
    ),
    "csv old Macintosh": ("csv", "text,label\ra,x\rb,y", [record("a", "x", None, 2), record("b", "y", None, 3)]),
    "csv header with spaces and case": ("csv", " Text , Category \na, x \n", [record("a", "x", None, 2)]),
    "csv one column": ("csv", "review\ngood\n", [record("good", None, None, 2)]),
    "tsv": ("tsv", "question\tintent\na, b\tx\n", [record("a, b", "x", None, 2)]),
    "jsonl": (
        "jsonl",
        '{"text": "a\\nb", "label": "x", "id": "i1"}\n\n{"text": "c"}\n',
        [record("a\nb", "x", "i1", 1), record("c", None, None, 3)],
    ),
    "jsonl integers and booleans": (
        "jsonl",
        '{"text": "a", "label": 3, "id": 12}\n{"text": "b", "label": true, "id": null}',
        [record("a", "3", "12", 1), record("b", "true", None, 2)],
    ),
    "lines": ("lines", "a, b\n c \nd", [record("a, b"), record(" c ", line=2), record("d", line=3)]),
    "lines keeps other separators": ("lines", "a\u2028b\x0bc\x85d\n", [record("a\u2028b\x0bc\x85d")]),
    "lines after a mark": ("lines", b"\xef\xbb\xbfa\n", [record("a")]),
}


@pytest.mark.parametrize("case", GOOD)
def test_rows_come_out_with_their_lines(case: str) -> None:
    format, data, expected = GOOD[case]
    assert rows(data, format) == expected


BAD = {
    "ragged, too many": ("csv", "text,label\na,x\nb, c,y\nd,z\n", 3, "3 cells, the header 2"),
    "ragged, too few": ("csv", "text,label\n\n\na\n", 4, "1 cells, the header 2"),
    "ragged after embedded newline": ("csv", 'text,label\n"a\nb",x\nc\n', 4, "1 cells"),
    "empty text": ("csv", "text,label\na,x\n  ,y\n", 3, "empty"),
    "undoubled quote": ("csv", 'text,label\n"a" b,x\nc,y\n', 2, "not doubled"),
    "quote that swallows": ("csv", 'text,label\n"a,x\nb,y\n"c" d,z\n', 2, "lines 2 to 4 are skipped"),
    "quote never closed": ("csv", 'text,label\na,x\n"b,y\nc,z\n', 3, "does not end"),
    "tsv ragged": ("tsv", "text\tlabel\na\n", 2, "1 cells"),
    "csv NUL": ("csv", "text,label\na\0b,x\n", 2, "NUL character at position 2"),
    "NUL in the label": ("csv", "text,label\na,x\0\n", 2, "the label holds a NUL"),
    "lines empty": ("lines", "a\n\nb\n", 2, "empty"),
    "lines NUL": ("lines", "abc def\nabc \0def", 2, "NUL character at position 5"),
    "broken JSON": ("jsonl", '{"text": "a"}\n{"text": \n', 2, "not JSON: Expecting value"),
    "cut JSON": ("jsonl", '{"text": "a"}\n{"text": "b', 2, "not JSON: Unterminated string"),
    "not an object": ("jsonl", '{"text": "a"}\n"text"\n', 2, "not a JSON object"),
    "no text in it": ("jsonl", '{"text": "a"}\n\n{"txt": "b"}\n', 3, "no 'text'; it has 'txt'"),
    "null text": ("jsonl", '{"text": "a"}\n{"text": null}\n', 2, "empty"),
    "number for a text": ("jsonl", '{"text": "a"}\n{"text": 12}\n', 2, "'text' is a number"),
    "list for a text": ("jsonl", '{"text": "a"}\n{"text": ["b"]}\n', 2, "'text' is a list"),
    "object for a label": ("jsonl", '{"text": "a", "label": {}}\n', 1, "the label is an object"),
    "fraction for an id": ("jsonl", '{"text": "a", "id": 1.5}\n', 1, "the id is a number"),
    "JSON NUL": ("jsonl", '{"text": "a\\u0000"}\n', 1, "NUL character at position 2"),
    "half a character": ("jsonl", '{"text": "a\\ud83d"}\n', 1, "half a character (U+D83D) at position 2"),
    "deep nesting": ("jsonl", '{"text": "a"}\n' + "[" * 100_000 + "\n", 2, "not usable JSON"),
    "endless number": ("jsonl", '{"text": "a"}\n' + "1" * 5_000 + "\n", 2, "not usable JSON"),
    "huge text": ("lines", "a\n" + "b" * (MAX_TEXT + 1) + "\nc", 2, "1,000,001 characters; the most is"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_one_problem_on_its_line(case: str) -> None:
    format, data, line, message = BAD[case]
    problems = [row for row in rows(data, format) if isinstance(row, Problem)]
    assert [problem.line for problem in problems] == [line]
    assert message in problems[0].message


def test_rows_after_a_bad_one_are_read() -> None:
    assert rows('text,label\n"a" b,x\nc,y\n', "csv")[1] == record("c", "y", None, 3)
    assert rows("a\n" + "b" * (MAX_TEXT + 1) + "\nc", "lines")[2] == record("c", None, None, 3)


def test_a_quote_that_never_closes_costs_only_what_it_swallowed() -> None:
    filler = "x" * 99 + ",y\n"
    data = 'text,label\nfirst,y\n"open,y\n' + filler * 20_000
    problem, *after = rows(data, "csv")[1:]
    assert isinstance(problem, Problem) and problem.line == 3
    last = int(re.search(r"lines 3 to (\d+) are skipped", problem.message)[1])  # type: ignore[index]
    assert after[0] == record("x" * 99, "y", None, last + 1)
    assert len(after) == 20_003 - last


REFUSED = {
    "no text column": ("csv", "a,b\n1,2\n", {}, ["-: no column looks like the text", "'a', 'b'"]),
    "wrong column": ("csv", "text,b\n1,2\n", {"label_column": "lable"}, ["'lable'", "'text', 'b'"]),
    "wrong JSON column": ("jsonl", '{"text": "a"}\n', {"text_column": "txt"}, ["-: ", "'txt'", "'text'"]),
    "column twice": ("csv", "text,text\n1,2\n", {}, ["'text'", "more than once"]),
    "no header": ("csv", "", {}, ["no header"]),
    "nothing": ("lines", "", {}, ["- is empty"]),
    "nothing, and no format": (None, "", {}, ["- is empty"]),
    "a header alone": ("csv", "text,label\n", {}, ["-, read as csv", "no row below its header"]),
    "a header alone, and no format": (None, "text,label\n\n", {}, ["-, read as csv", "no row below its header"]),
    "JSON array": ("jsonl", '\n [{"text": "a"}]\n', {}, ["one JSON array"]),
    "columns of plain lines": ("lines", "a\n", {"text_column": "text"}, ["plain lines", "'text'"]),
    "unknown format": ("cvs", "text\na\n", {}, ["no format is called 'cvs'"]),
    "spreadsheet": (None, b"PK\x03\x04....", {}, ["spreadsheet"]),
    "gzip": (None, b"\x1f\x8b\x08", {}, ["gzip"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_read_as_a_whole_is_refused(case: str) -> None:
    format, data, options, parts = REFUSED[case]
    with pytest.raises(InputError) as caught:
        rows(data, format, **options)
    assert all(part in caught.value.message for part in parts), caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("format", ["csv", "lines", "jsonl"])
def test_encodings_with_a_mark(encoding: str, format: str) -> None:
    text = "Grüße, 中文 🙂" * 5_000  # longer than a block, so that characters are cut at its end
    quoted = {"csv": f'text\n"{text}"\n', "lines": f"{text}\n", "jsonl": json.dumps({"text": text}) + "\n"}
    assert [row.text for row in rows(quoted[format].encode(encoding), format) if isinstance(row, Record)] == [text]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_foreign_byte_is_named_with_its_line_and_place(end: str) -> None:
    before = f"plain{end}" * 30_000
    data = before.encode() + b"caf\xe9" + end.encode()
    with pytest.raises(InputError) as caught:
        rows(data, "lines")
    place = len(before) + 4
    assert f"line 30001: byte 0xE9 at position {place:,} of the file is not UTF-8" in caught.value.message
    assert "iconv -f WINDOWS-1252 -t UTF-8" in caught.value.hint


def test_a_file_cut_inside_a_character() -> None:
    with pytest.raises(InputError, match=r"line 2: byte 0xC3 at position 6 "):
        rows(b"abc\na\xc3", "lines")
    with pytest.raises(InputError, match=r"line 2: byte .* is not UTF-16"):
        rows("ab\nc🙂".encode("utf-16")[:-2], "lines")


def test_utf_16_without_a_mark_is_said() -> None:
    with pytest.raises(InputError, match="looks like UTF-16LE without") as caught:
        rows("text,label\na,b\n".encode("utf-16-le"), "csv")
    assert "iconv -f UTF-16LE" in caught.value.hint


def test_line_ends_at_the_end_of_a_block_are_one_line() -> None:
    for cut in range(65_530, 65_540):
        data = "a" * cut + "\r\nb\r\n"
        assert [row.line for row in rows(data, "lines")] == [1, 2]


def test_a_file_without_line_ends_is_refused_before_it_fills_the_memory() -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b"a" * size

    with pytest.raises(InputError, match="line 1 has more than"):
        list(read(Endless(), "lines", name="-"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (b'{"text": "a"}\n', "jsonl"),
        (b'\xef\xbb\xbf {"text"', "jsonl"),
        (b"id,text\n", "csv"),
        (b'"Text";"Label"\n', "csv"),
        (b"text\tlabel\n", "tsv"),
        ("message,label\n".encode("utf-16"), "csv"),
        (b"Hello, how are you?\n", "lines"),
        (b"", "lines"),
        (b"PAR1\x15", "parquet"),
    ],
)
def test_the_first_bytes_tell_the_format(head: bytes, format: str) -> None:
    assert sniff(head, "-") == format


PROSE = {
    "a comma behind a column's name": "text, with comma\n",
    "a sentence behind one": "Message, received and noted. Thanks\nfor that\n",
    "as many commas in every line": "Hello, I need help\nYes, please\nNo, thanks\n",
    "known words, one to a line": "text about, my review\ncomment on, it\n",
    "a bracket": "[Music] Hello\n",
    "a footnote": "[1] as shown before\n",
    "a brace": "{name} is not here\n",
    "a quotation": '"Hello," he wrote, "I am here"\n',
    "a full stop": "text,label.\n",
}
TABLES = {
    "two known names": ("question, topic\nWhere is it, please,b\n", "csv"),
    "a known name among others": ("date,message,from\n", "csv"),
    "unknown names, rows that agree": ("kopf,quelle\na,b\nc,d\n", "csv"),
    "semicolons": ("nr;satz\n1;so, und so\n2;oder so\n", "csv"),
    "tabs": ("nr\tsatz\n1\tso, und so\n2\toder so\n", "tsv"),
    "a name over several lines": ('kopf,quelle\n"a\nb, c",b\nc,d\n', "csv"),
    "longer than a block": ("kopf,quelle\n" + "a,b\n" * 50_000, "csv"),
    "rows of half a block": ("kopf,quelle\n" + f"{'a' * 30_000},b\n" * 4, "csv"),
    "a beginning of JSON": ('{\n"text": 1}', "jsonl"),
    "an array": (' [\n  {"text": "a"}]', "jsonl"),
}


@pytest.mark.parametrize("case", PROSE)
def test_prose_is_lines(case: str) -> None:
    told: list[str] = []
    found = list(read(io.BytesIO(PROSE[case].encode()), name="-", say=told.append))
    assert [row.text for row in found if isinstance(row, Record)] == PROSE[case].splitlines()
    assert told == ["- is read as lines of text; --format csv reads a table"]


@pytest.mark.parametrize("case", TABLES)
def test_a_plain_table_is_one(case: str) -> None:
    data, format = TABLES[case]
    assert sniff(data.encode()[: 1 << 16], "-") == format


def test_a_column_that_is_asked_for_makes_a_table() -> None:
    told: list[str] = []
    data = io.BytesIO(b"kopf,rumpf\na b,c d\n")
    assert list(read(data, name="-", text_column="rumpf", say=told.append)) == [
        Record("c d", None, None, 2, {"kopf": "a b"})
    ]
    assert told == [
        "- is read as a table (csv); --format lines takes each line as a text",
        "-: text = column 'rumpf'; other columns: 'kopf'",
    ]


def test_a_format_that_is_given_or_named_by_the_file_is_not_said(write: Callable[[str, str], Path]) -> None:
    told: list[str] = []
    list(read(io.BytesIO(b"a, b\n"), "lines", name="-", say=told.append))
    list(read(write("a.txt", "text\n"), say=told.append))
    assert told == []


@pytest.mark.parametrize(
    ("suffix", "data", "text"),
    [
        (".csv", "text\na\n", "a"),
        (".TSV", "text\tid\na,b\t1\n", "a,b"),
        (".ndjson", '{"text": "a"}', "a"),
        (".txt", "text\n", "text"),
        (".data", "text,label\na,b\n", "a"),
    ],
)
def test_the_suffix_comes_first_then_the_bytes(tmp_path: Path, suffix: str, data: str, text: str) -> None:
    path = tmp_path / f"in{suffix}"
    path.write_text(data)
    assert [row.text for row in read(path) if isinstance(row, Record)] == [text]


def test_columns_given_and_guessed() -> None:
    told: list[str] = []
    data = b"text,body,kind,class,uid\n1,a,b,c,d\n"
    got = list(read(io.BytesIO(data), "csv", name="x.csv", text_column="body", label_column="kind", say=told.append))
    assert got == [Record("a", "b", "d", 2, {"text": "1", "class": "c"})]
    assert told == [
        "x.csv: text = column 'body', label = column 'kind', id = column 'uid'; other columns: 'text', 'class'"
    ]
    assert rows(data, "csv") == [Record("1", "c", "d", 2, {"body": "a", "kind": "b"})]
    told.clear()
    list(read(io.BytesIO(b"text\na\n"), "csv", name="x", text_column="text", say=told.append))
    assert told == []


def test_a_column_that_was_given_a_role_is_not_guessed_for_another() -> None:
    assert rows("title,message\na,b\n", "csv", label_column="message") == [record("a", "b", None, 2)]


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nowhere\.csv"):
        list(read(tmp_path / "nowhere.csv"))
    with pytest.raises(InputError, match="is a folder"):
        list(read(tmp_path))


def test_every_format_has_its_file() -> None:
    assert {"csv", "jsonl", "parquet"} <= set(FORMATS)
    for format in FORMATS:
        assert callable(FORMATS.load(format))


@pytest.mark.parametrize("format", ["csv", "jsonl", "lines"])
def test_a_million_rows_are_not_held(format: str) -> None:
    row = {"csv": b"some text of a row,label\n", "jsonl": b'{"text": "some text of a row"}\n', "lines": b"some text\n"}

    class Rows(io.RawIOBase):
        """A header and then 1 MB of rows, made as they are read."""

        left = 1_000_000

        def read(self, size: int = -1) -> bytes:
            if self.left == 1_000_000 and format == "csv":
                self.left -= 1
                return b"text,label\n"
            block = row[format] * min(size // len(row[format]), self.left // len(row[format]))
            self.left -= len(block)
            return block

    stream: Iterator[Record | Problem] = read(Rows(), format, name="-")  # type: ignore[arg-type]
    next(stream)
    tracemalloc.start()
    count = sum(isinstance(item, Record) for item in stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count >= 30_000
    assert peak < 1_000_000
