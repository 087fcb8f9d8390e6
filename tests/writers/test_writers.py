"""Contract of the writers, and what each must not let through."""

import csv
import io
import json

import pytest

from mollia_cli.writers import WRITERS

ROWS = [
    {"id": "1", "text": 'two\nlines, "quoted"', "label": "a", "confidence": 0.5, "negatives": ["b", "c"]},
    {"id": "2", "text": "ünï 😀", "label": "b", "confidence": 1.0, "negatives": []},
]


@pytest.mark.parametrize("name", list(WRITERS))
def test_every_row_is_written_and_counted(name: str) -> None:
    out = io.StringIO()
    assert WRITERS.load(name)(iter(ROWS), out) == 2
    assert "ünï 😀" in out.getvalue()
    assert WRITERS.load(name)([], io.StringIO()) == 0


def test_jsonl_reads_back() -> None:
    out = io.StringIO()
    WRITERS.load("jsonl")(ROWS, out)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == ROWS


def test_csv_reads_back() -> None:
    out = io.StringIO()
    WRITERS.load("csv")(ROWS, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS]
    assert json.loads(rows[0]["negatives"]) == ["b", "c"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_csv_defuses_formulas(text: str) -> None:
    out = io.StringIO()
    WRITERS.load("csv")([{"text": text}], out)
    assert next(csv.DictReader(io.StringIO(out.getvalue())))["text"] == f"'{text}"
