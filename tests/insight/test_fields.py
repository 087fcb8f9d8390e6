"""Other columns of imported files: kept, filtered by, and out again in every export."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.insight.export import export_dataset, export_labels, labelled_rows
from mollia_cli.insight.review import open_disagreements, open_review
from mollia_cli.insight.sql import ask
from mollia_cli.insight.verify import verify
from mollia_cli.loop.select import select
from mollia_cli.project.context import Project
from mollia_cli.project.create import create
from mollia_cli.project.fields import where
from mollia_cli.project.ingest import ingest

ROWS = [
    {"text": "one", "label": "red", "author": "Ann", "source": "Times", "year": 2025, "score": 1.5, "tags": ["a", "b"]},
    {"text": "two", "label": "blue", "author": "Ben", "source": "Post", "year": 2026, "score": 2, "seen": True},
    {"text": "six", "label": "grey", "author": "Ann", "source": "Post", "year": 2026},
]
IMPORTED = {
    "one": {"author": "Ann", "imported_source": "Times", "year": 2025, "score": 1.5, "tags": ["a", "b"], "seen": None},
    "two": {"author": "Ben", "imported_source": "Post", "year": 2026, "score": 2, "tags": None, "seen": True},
    "six": {"author": "Ann", "imported_source": "Post", "year": 2026, "score": None, "tags": None, "seen": None},
}


def add(project: Project, rows: list[dict[str, Any]], split: str = "seed") -> None:
    raw = "\n".join(map(json.dumps, rows)).encode()
    ingest(project, io.BytesIO(raw), split, name="x.jsonl", file_format="jsonl")


@pytest.fixture
def filled(observed: Project) -> Project:
    """Three seeds and three pool items with fields, beside 260 items without."""
    add(observed, ROWS)
    add(observed, [{**row, "id": f"p{row['text']}", "text": f"{row['text']} more"} for row in ROWS], "pool")
    return observed


def test_they_are_kept_with_the_item_and_journalled(filled: Project) -> None:
    by_text = {item.text: item.fields for item in filled.store.items.in_split("seed")}
    assert by_text["two"] == {"author": "Ben", "source": "Post", "year": 2026, "score": 2, "seen": True}
    assert by_text["text 0"] == {}
    assert filled.store.items.fields() == {
        **{"author": "text", "source": "text", "year": "integer", "score": "real", "tags": "json", "seen": "boolean"}
    }
    assert verify(filled).ok


def test_every_row_of_an_export_has_them(filled: Project) -> None:
    rows = {row["text"]: row for row in labelled_rows(filled)}
    own = ["id", "text", "label", "confidence", "source", "who", "negatives"]
    for text, fields in IMPORTED.items():
        assert {name: rows[text][name] for name in rows[text] if name not in own} == fields
        assert rows[text]["source"] == "gold"
    assert {tuple(row) for row in rows.values()} == {(*own, *IMPORTED["one"])}  # a CSV file has one header


def test_csv_json_and_parquet(filled: Project, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in ("out.csv", "out.jsonl", "out.parquet"):
        assert export_labels(filled, tmp_path / name, conditions=["author=Ann"]) == 2
    with (tmp_path / "out.csv").open(newline="") as handle:
        cells = {row["text"]: row for row in csv.DictReader(handle)}
    assert (cells["one"]["imported_source"], cells["one"]["tags"], cells["six"]["tags"]) == ("Times", '["a", "b"]', "")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {row["text"]: {name: row[name] for name in IMPORTED["one"]} for row in lines} == {
        text: IMPORTED[text] for text in ("one", "six")
    }
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column("year").to_pylist() == [2025, 2026] and table.column("score").to_pylist() == [1.5, None]
    assert table.column("tags").to_pylist() == ['["a", "b"]', None]
    assert str(table.schema.field("seen").type) == "bool"


def test_prodigy_and_argilla_have_them_as_metadata(filled: Project) -> None:
    out = io.StringIO()
    export_labels(filled, out, "prodigy", conditions=["author=Ben"])
    meta = json.loads(out.getvalue())["meta"]
    expected = {"author": "Ben", "imported_source": "Post", "year": 2026, "score": 2, "seen": True}
    assert {name: meta[name] for name in meta if name not in ("id", "source", "confidence")} == expected
    out = io.StringIO()
    export_labels(filled, out, "argilla", conditions=["author=Ben"])
    [record] = json.loads(out.getvalue())
    assert record["metadata"] == {"source": "gold", **expected}


def test_label_studio_has_them_beside_the_text(filled: Project) -> None:
    out = io.StringIO()
    export_labels(filled, out, "label_studio", conditions=["author=Ben"])
    [task] = json.loads(out.getvalue())
    assert (task["data"]["source"], task["data"]["imported_source"], task["data"]["year"]) == ("gold", "Post", 2026)


def test_overlap_and_disagreements_are_of_some_items(filled: Project) -> None:
    for item_id in ("pone", "ptwo", "psix"):
        filled.store.decisions.add(Decision(item_id, LABEL, "ann", 0))
    assert open_review(filled, "random", who="ben", conditions=["author=Ann"], overlap=2).queue == ["pone", "psix"]
    for item_id in ("ptwo", "psix"):
        filled.store.decisions.add(Decision(item_id, LABEL, "ben", 1))
    assert open_disagreements(filled, who="cleo").queue == ["ptwo", "psix"]
    assert open_disagreements(filled, who="cleo", conditions=["author=Ann"]).queue == ["psix"]
    assert open_disagreements(filled, who="cleo", limit=1).queue == ["ptwo"]


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_dataset_has_them_with_their_types(filled: Project, tmp_path: Path, file_format: str) -> None:
    json_reader = pytest.importorskip("pyarrow.json")
    from pyarrow import parquet

    export_dataset(filled, tmp_path / "d", file_format)
    path = tmp_path / "d" / "data" / f"train.{file_format}"
    table = (parquet.read_table if file_format == "parquet" else json_reader.read_json)(path)
    assert set(IMPORTED["one"]) <= set(table.column_names)
    assert '["a", "b"]' in table.column("tags").to_pylist()
    card = (tmp_path / "d" / "README.md").read_text()
    for name, kind in {"year": "int64", "score": "float64", "seen": "bool", "tags": "string"}.items():
        assert f'  - name: "{name}"\n    dtype: {kind}\n' in card


def test_items_are_chosen_by_them(filled: Project) -> None:
    ids = {row["id"] for row in labelled_rows(filled, conditions=["author=Ann", "year=2026"])}
    assert [item.text for item in filled.store.items.get(sorted(ids))] == ["six"]
    assert {pick.id for pick in select(filled, "random", 9, conditions=["author=Ann"])} == {"pone", "psix"}
    assert open_review(filled, "random", conditions=["seen=true"]).queue == ["ptwo"]
    filled.store.decisions.add(Decision("ptwo", LABEL, "anna", 1))
    assert [row["source"] for row in labelled_rows(filled, conditions=["seen=true"])] == ["gold", "human"]
    assert len(where(filled, ["author="]) or ()) == 260  # the items without one
    assert where(filled, []) is None


@pytest.mark.parametrize(
    ("condition", "error", "message", "hint"),
    [
        ("author", InputError, "'author' is no condition", "COLUMN=VALUE"),
        ("autor=Ann", InputError, "no item has a column 'autor'", "columns: author, source, year"),
        ("author=An", NotFoundError, "no item has author=An", "author is 'Ann', 'Ben'"),
    ],
)
def test_a_wrong_condition_is_named(
    filled: Project, condition: str, error: type[Exception], message: str, hint: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        where(filled, [condition])
    assert hint in caught.value.hint  # type: ignore[attr-defined]


def test_conditions_that_nothing_meets_together(filled: Project) -> None:
    with pytest.raises(NotFoundError, match="no item has author=Ben and year=2025"):
        where(filled, ["author=Ben", "year=2025"])


def test_sql_reads_them(filled: Project) -> None:
    query = "select text from items where json_extract(fields, '$.author') = 'Ann' and split = 'seed' order by 1"
    assert [row["text"] for row in ask(filled, query).rows] == ["one", "six"]
    [row] = ask(filled, "select fields from labelled_items where text = 'two'").rows
    assert json.loads(row["fields"])["source"] == "Post"


def test_what_was_exported_can_be_imported_again(filled: Project, tmp_path: Path) -> None:
    out = io.StringIO()
    export_labels(filled, out, "jsonl", conditions=["author=Ben"])
    create(tmp_path / "other", replace(filled.settings, random_seed=1))
    with Project.open(tmp_path / "other") as other:
        add(other, [json.loads(out.getvalue())])
        [row] = labelled_rows(other)
    assert row["author"] == "Ben" and row["source"] == "gold"
    assert row["imported_imported_source"] == "Post" and row["imported_source"] == "gold"
