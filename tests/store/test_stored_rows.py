"""How rows are stored: the order in which they come back, as JSON that anybody reads, under digests of all of them."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.settings import RunConfig, Settings
from mollia_cli.store import writing
from mollia_cli.store.project_files import write_settings
from mollia_cli.store.store import Store


@pytest.fixture
def store(tmp_path: Path, labels: LabelSet) -> Store:
    made = Store(tmp_path, labels, create=True)
    with made.transaction():
        made.items.add([Item(i, f"text {i}") for i in "cadbe"], "file.csv")
    return made


def test_selections_come_by_round_and_rank(store: Store) -> None:
    store.runs.put("main", RunConfig())
    store.runs.start_round("main", 0, [("e", 0.5, None), ("a", 0.4, 1)], 0.0)
    store.runs.start_round("main", 1, [("d", 0.9, 2), ("b", 0.8, None), ("c", 0.7, 0)], 0.0)
    assert [s.item_id for s in store.runs.selections("main")] == ["e", "a", "d", "b", "c"]
    assert [(s.item_id, s.score, s.opinion) for s in store.runs.selections("main", 1)] == [
        ("d", 0.9, 2),
        ("b", 0.8, None),
        ("c", 0.7, 0),
    ]
    assert store.trace("d").selections[0]["rank"] == 0


def test_a_splits_items_come_in_the_order_of_import_and_the_pools_places_do_not(store: Store) -> None:
    assert store.items.ids("pool") == ["c", "a", "d", "b", "e"]
    assert [item.id for item in store.items.in_split("pool")] == ["c", "a", "d", "b", "e"]
    assert store.items.pool_at([0, 4, 2]) == ["a", "e", "c"]  # the same items, however they were imported


def test_runs_keep_their_order_when_the_clock_is_put_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, at in (("one", "2026-01-02T00:00:00+00:00"), ("two", "2025-01-01T00:00:00+00:00")):
        monkeypatch.setattr(writing, "now", lambda at=at: at)
        store.runs.put(name, RunConfig())
    assert store.runs.names() == ["two", "one"]


def test_a_rows_digest_does_not_depend_on_the_order_of_its_columns(store: Store) -> None:
    """A later version may build a table anew, with its columns in another order."""
    columns = [row[1] for row in store._db.execute("PRAGMA table_info(items)")]
    found = [
        dict(store.journal._rows("items", f"SELECT {', '.join(order)} FROM items", []))
        for order in (columns, columns[::-1])
    ]
    assert len(found[0]) == 5 and found[0] == found[1]


def test_every_column_of_a_journal_entry_is_part_of_its_hash(store: Store) -> None:
    """The entry before among them: otherwise the past could be rewritten under a head that was noted."""
    first = next(store.journal.entries())
    assert first.hash_now() == first.hash
    for name in ("seq", "at", "verb", "what", "count", "digest", "previous"):
        other = getattr(first, name) + (1 if isinstance(getattr(first, name), int) else "x")
        assert replace(first, **{name: other}).hash_now() != first.hash


def test_a_label_without_any_probability_is_stored_as_json(store: Store) -> None:
    """SQLite's json functions, and other readers, know no -Infinity."""
    key = store.observations.register("llm", {})
    log_probs = np.array([0.0, -np.inf, -np.inf])
    store.observations.add(key, [Observation("a", log_probs, np.array([1.0, 0, 0]), 1.0, 0.0)])
    [(stored,)] = store._db.execute("SELECT log_probs FROM observations").fetchall()
    assert json.loads(stored, parse_constant=lambda name: pytest.fail(name)) == [0.0, -10000.0, -10000.0]


def test_settings_are_readable_by_their_owner_alone(tmp_path: Path, labels: LabelSet) -> None:
    path = tmp_path / "mollia.toml"
    write_settings(path, Settings(labels))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
