"""The order in which rows come back is the one that they were written in, or by, whatever their ids are."""

import stat
from pathlib import Path

import pytest

from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.settings import Settings
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
    store.runs.put("main", {})
    store.runs.start_round("main", 0, [("e", 0.5, None), ("a", 0.4, 1)], 0.0)
    store.runs.start_round("main", 1, [("d", 0.9, 2), ("b", 0.8, None), ("c", 0.7, 0)], 0.0)
    assert [s.item_id for s in store.runs.selections("main")] == ["e", "a", "d", "b", "c"]
    assert [(s.item_id, s.score, s.opinion) for s in store.runs.selections("main", 1)] == [
        ("d", 0.9, 2),
        ("b", 0.8, None),
        ("c", 0.7, 0),
    ]
    assert store.trace("d")["selections"][0]["rank"] == 0


def test_a_splits_items_come_in_the_order_of_import_and_the_pools_places_do_not(store: Store) -> None:
    assert store.items.ids("pool") == ["c", "a", "d", "b", "e"]
    assert [item.id for item in store.items.in_split("pool")] == ["c", "a", "d", "b", "e"]
    assert store.items.pool_at([0, 4, 2]) == ["a", "e", "c"]  # the same items, however they were imported


def test_runs_keep_their_order_when_the_clock_is_put_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, at in (("one", "2026-01-02T00:00:00+00:00"), ("two", "2025-01-01T00:00:00+00:00")):
        monkeypatch.setattr(writing, "now", lambda at=at: at)
        store.runs.put(name, {})
    assert store.runs.names() == ["two", "one"]


def test_settings_are_readable_by_their_owner_alone(tmp_path: Path, labels: LabelSet) -> None:
    path = tmp_path / "mollia.toml"
    write_settings(path, Settings(labels))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
