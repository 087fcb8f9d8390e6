"""Which column is the text, what is kept of the others, and what separates them."""

import io
import json
from typing import Any

import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.readers import Problem, Record, read
from mollia_cli.readers.csv import delimiter_of

LONG = "a storm came over the city in the night"


def got(data: str, format: str = "csv", **options: Any) -> tuple[list[Record | Problem], list[str]]:
    """The rows, and what was said."""
    said: list[str] = []
    return list(read(io.BytesIO(data.encode()), format, name="x", say=said.append, **options)), said


@pytest.mark.parametrize(
    "name", ["headline", "Headline", "article", "ARTICLE", "Body Text", "body_text", "bodyText", "Full-Text", "Post"]
)
def test_known_names_are_found_in_any_writing(name: str) -> None:
    rows, said = got(f"article_id,{name},author\nan id that is longer than all else,short,Ann B. Smith\n")
    assert [row.text for row in rows if isinstance(row, Record)] == ["short"]
    assert said == [f"x: text = column {name!r}; other columns: 'article_id', 'author'"]


def test_else_the_longest_texts_are_taken_and_it_is_said() -> None:
    header = "article_id,Page URL,published,author,wire copy,topic"
    row = f"{'x y ' * 30},https://example.org/{'a/' * 90},2026-11-21 10:00:00 {'0' * 90},Ann Smith,{LONG},weather"
    rows, said = got(f"{header}\n{row}\n{row}\n")
    assert [row.text for row in rows if isinstance(row, Record)] == [LONG, LONG]
    assert said[0].startswith(
        "x: text = column 'wire copy' (the longest texts), label = column 'topic'; other columns: "
    )


@pytest.mark.parametrize("text", ["今天的天气很好，我们去公园散步", "Ich hätte gern meine Rechnung"])
def test_texts_of_any_script_are_texts(text: str) -> None:
    rows, _ = got(f"code,inhalt\n{'A1' * 40},{text}\n")
    assert [row.text for row in rows if isinstance(row, Record)] == [text]


@pytest.mark.parametrize("header", ["article_id", "articleId", "Article ID", "storyKey", "page url"])
def test_an_id_is_no_text_however_long(header: str) -> None:
    with pytest.raises(InputError, match="no column looks like the text") as caught:
        got(f"{header},n\nthe only words of this table,1\n")
    assert caught.value.hint == "name it: --text-column n"  # no id is offered


def test_json_rows_are_looked_at_too() -> None:
    lines = [json.dumps({"n": 1, "wire": LONG, "who": "Ann B."}), json.dumps({"n": 2, "wire": "Short one", "extra": 3})]
    rows, _ = got("\n".join(lines), "jsonl")
    assert rows == [
        Record(LONG, None, None, 1, {"n": 1, "who": "Ann B."}),
        Record("Short one", None, None, 2, {"n": 2, "extra": 3}),  # a column that comes later is kept, too
    ]


def test_other_columns_are_kept_as_they_are_and_empty_ones_left_out() -> None:
    rows, _ = got("text,date,author,,date\na,2026-11-21,,x,y\n")
    assert rows == [Record("a", None, None, 2, {"date": "2026-11-21", "column 4": "x", "date (2)": "y"})]


def test_what_json_files_cannot_write_again_is_replaced() -> None:
    row = {"text": "a", "half": "b\ud83d", "nul": "c\0", "nan": float("nan"), "big": 1 << 70, "tags": ["a\0", None]}
    [found], _ = got(json.dumps(row), "jsonl")
    assert isinstance(found, Record)
    assert found.fields == {"half": "b?", "nul": "c\ufffd", "big": str(1 << 70), "tags": ["a\ufffd", None]}


@pytest.mark.parametrize(
    ("header", "mark"),
    [
        ("text,label", ","),
        ("text;label, or topic", ";"),
        ("text\tlabel; or topic", "\t"),
        ('"a, b";c', ";"),
        ("text", ","),
    ],
)
def test_the_first_separator_outside_quotes(header: str, mark: str) -> None:
    assert delimiter_of(header) == mark


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_than_a_comma_is_said(mark: str, name: str) -> None:
    rows, said = got(f"text{mark}label\na, b{mark}x\n")
    assert rows == [Record("a, b", "x", None, 2)]
    assert said[0] == f"x: columns are separated by {name}"


@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_a_header_without_rows_is_an_error(format: str) -> None:
    with pytest.raises(InputError, match=r"x, read as [ct]sv, has no row below its header"):
        got("text,label\n" if format == "csv" else "text\tlabel\n", format)
