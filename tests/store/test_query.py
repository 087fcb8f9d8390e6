"""SQL that a person asks for: it reads, and nothing else."""

import os
import signal
import sqlite3
import threading
from pathlib import Path

import pytest

from mollia_cli.domain.errors import InputError, MolliaError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.store import schema
from mollia_cli.store.query import query
from mollia_cli.store.store import Store

DOCUMENT = Path(__file__).parents[2] / "docs" / "database.md"


@pytest.fixture
def database(tmp_path: Path, labels: LabelSet) -> Path:
    made = Store(tmp_path, labels, create=True)
    with made.transaction():
        made.items.add([Item("a", "one", "seed", 0), Item("b", "two")], "file.csv")
    made.close()
    return made.path


def test_rows_with_the_columns_names_once_each(database: Path) -> None:
    answer = query(database, "select i.id, j.id, j.label from items i join items j where j.split = 'seed' order by 1")
    assert answer.columns == ("id", "id_2", "label")
    assert list(answer.rows) == [("a", "a", "billing"), ("b", "a", "billing")]


def test_values_that_json_has_no_word_for(database: Path) -> None:
    assert list(query(database, "select x'00ff', 9e999, null").rows) == [("00ff", "inf", None)]


@pytest.mark.parametrize(
    "statement",
    [
        "delete from items",
        "update items set text = ''",
        "drop table items",
        "create table x (y)",
        "create temp table x (y)",
        "attach '{folder}/other.db' as other",
        "vacuum into '{folder}/other.db'",
        "pragma query_only = off",
        "pragma journal_mode = delete",
        "begin immediate",
        "savepoint x",
        "insert into items (id) values (1) returning id",
        "with x as (select 1) delete from items",
        "update sqlite_master set sql = ''",
        "reindex",
    ],
)
def test_what_would_change_something_is_refused(database: Path, statement: str) -> None:
    before = sorted(path.name for path in database.parent.iterdir() if path.suffix == ".db")
    with pytest.raises(RefusedError, match="only reads"):
        list(query(database, statement.format(folder=database.parent)).rows)
    assert sorted(path.name for path in database.parent.iterdir() if path.suffix == ".db") == before
    assert list(query(database, "select count(*) from items").rows) == [(2,)]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("select * from verdict", "did you mean verdicts"),
        ("select nothing from items", "nothing"),
        ("selec 1", "selec"),
        ("select 1; select 2", "one"),
        ("", "asks for nothing"),
        ("-- nothing", "asks for nothing"),
    ],
)
def test_what_sqlite_does_not_understand(database: Path, statement: str, named: str) -> None:
    with pytest.raises(InputError) as caught:
        query(database, statement)
    assert named in caught.value.message + caught.value.hint


def test_looking_at_the_schema_is_reading(database: Path) -> None:
    assert ("id",) in list(query(database, "select name from pragma_table_info('items')").rows)
    assert list(query(database, "explain query plan select * from items").rows)


def test_no_database(tmp_path: Path) -> None:
    with pytest.raises(MolliaError, match=r"none\.db"):
        query(tmp_path / "none.db", "select 1")
    assert not (tmp_path / "none.db").exists()


def test_every_table_view_and_column_is_documented(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        made = connection.execute(
            "SELECT name, type = 'view' FROM sqlite_master"
            " WHERE type IN ('table', 'view') AND name NOT IN ('_sqlite_migrations', 'sqlite_sequence')"
        ).fetchall()
        columns = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
        found = {name: [row[0] for row in connection.execute(columns, [name])] for name, _ in made}
    assert {name: list(table.columns) for name, table in schema.TABLES.items()} == found
    assert {name for name, view in made if view} == {name for name in schema.TABLES if schema.TABLES[name].is_view}
    assert DOCUMENT.read_text(encoding="utf-8") == schema.reference()


def test_ctrl_c_stops_a_query_that_would_not_end(database: Path) -> None:
    endless = "with recursive c (x) as (select 1 union all select x + 1 from c) select max(x) from c"
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        list(query(database, endless).rows)
