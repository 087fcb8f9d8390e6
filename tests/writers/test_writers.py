"""Contract of the writers, and what each must not let through."""

import csv
import io
import json
from typing import Any

import pytest
import yaml

from mollia_cli.domain.labels import LabelSet
from mollia_cli.readers import Problem, read
from mollia_cli.writers import BINARY, WRITERS, Row, Target
from mollia_cli.writers.dataset_card import dataset_card

ROWS: list[Row] = [
    {
        **{"id": "1", "text": 'two\nlines, "quoted"', "label": "a", "confidence": 0.5, "source": "molam"},
        "who": "",
        "negatives": ["b", "c"],
    },
    {"id": "2", "text": "ünï 😀", "label": "b", "confidence": 1.0, "source": "human", "who": "ann", "negatives": []},
]
HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "'=1",
    "''+x",
    "'",
    "'quoted'",
    "x\ry",
    "x\r\ny",
    'a "b"',
    "''x",
]


def written(name: str, rows: list[Row] = ROWS, **options: Any) -> Any:
    out = io.BytesIO() if name in BINARY else io.StringIO(newline="")
    assert WRITERS.load(name)(iter(rows), out, Target(("a", "b", "c"), **options)) == len(rows)
    return out.getvalue()


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "spacy"])  # its bytes are compressed
def test_every_row_is_written_and_counted(name: str) -> None:
    assert ("ünï 😀".encode() if name in BINARY else "ünï 😀") in written(name)
    written(name, [])


def test_jsonl_reads_back() -> None:
    assert [json.loads(line) for line in written("jsonl").splitlines()] == ROWS


def test_parquet_reads_back() -> None:
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(written("parquet")))
    assert table.to_pylist() == ROWS
    assert parquet.read_table(io.BytesIO(written("parquet", []))).schema == table.schema


def test_csv_reads_back() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv"), newline="")))
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS]
    assert json.loads(rows[0]["negatives"]) == ["b", "c"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_csv_defuses_formulas(text: str) -> None:
    rows = list(csv.reader(io.StringIO(written("csv", [{"text": text}]), newline="")))
    assert rows[1] == [f"'{text}"]
    raw = list(csv.reader(io.StringIO(written("csv", [{"text": text}], raw=True), newline="")))
    assert raw[1] == [text]


@pytest.mark.parametrize("raw", [False, True])
def test_our_reader_undoes_what_our_writer_does(raw: bool) -> None:
    rows: list[Row] = [{"id": str(n), "text": text, "label": "=b"} for n, text in enumerate(HOSTILE)]
    data = written("csv", rows, raw=raw).encode()
    found = list(read(io.BytesIO(data), "csv", name="x", raw=raw))
    assert [(r.text, r.label) for r in found if not isinstance(r, Problem)] == [(text, "=b") for text in HOSTILE]


def test_argilla_records() -> None:
    first = json.loads(written("argilla"))[0]
    assert first["fields"] == {"text": ROWS[0]["text"]}
    assert first["suggestions"]["label"] == {"value": "a", "score": 0.5, "agent": "molam"}
    assert json.loads(written("argilla", [])) == []


def test_prodigy_tasks() -> None:
    first, second = map(json.loads, written("prodigy").splitlines())
    assert first["accept"] == ["a"] and [option["id"] for option in first["options"]] == ["a", "b", "c"]
    assert "answer" not in first  # an LLM's label is to be looked at
    assert second["answer"] == "accept"


def test_a_card_whatever_the_labels_are_called() -> None:
    names = ("a: b", 'c"d', "no", "- x", "ü #1")
    card = dataset_card(LabelSet(names), "text", {"train": "data/train.jsonl"}, {"train": {"gold": 3}})
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["configs"][0]["data_files"] == [{"split": "train", "path": "data/train.jsonl"}]
    label = next(f for f in head["dataset_info"]["features"] if f["name"] == "label")
    assert tuple(label["dtype"]["class_label"]["names"].values()) == names
