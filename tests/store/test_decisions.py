"""People's decisions: a log that is only added to, and what holds by it."""

from pathlib import Path

import pytest

from mollia_cli.domain.decisions import IGNORE, LABEL, NOTE, Decision
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.store.store import Store


@pytest.fixture
def store(tmp_path: Path, labels: LabelSet) -> Store:
    made = Store(tmp_path, labels, create=True)
    with made.transaction():
        texts = ("one", "Straße two", "three")
        made.items.add(
            [Item(i, text, "pool", k) for i, text, k in zip("abc", texts, (2, None, None), strict=True)], "f"
        )
    return made


def said(store: Store, item_id: str, act: str, label: int | None = None, **more: object) -> Decision:
    return store.decisions.add(Decision(item_id, act, "anna", label, **more))  # type: ignore[arg-type]


def test_the_last_label_holds_until_it_is_taken_back(store: Store) -> None:
    said(store, "b", LABEL, 0)
    second = said(store, "b", LABEL, 1)
    assert second.at and second.id == 2
    assert store.decisions.labels() == {"b": 1}
    assert store.decisions.last("anna") == second
    store.decisions.take_back(second)
    assert store.decisions.labels() == {"b": 0}
    assert len(store.decisions.all()) == 1
    assert store.decisions.last("ben") is None
    rows = store._db.execute("SELECT label, undone_at IS NULL FROM decisions ORDER BY id").fetchall()
    assert rows == [("billing", 1), ("results", 0)]


def test_how_a_seed_was_chosen_is_stored(store: Store) -> None:
    said(store, "b", LABEL, 0, seed=True, chosen="random")
    said(store, "c", LABEL, 0, seed=True, chosen="seed")
    said(store, "a", LABEL, 0, chosen="doubt")
    assert store.decisions.seeds_chosen() == {"b": "random", "c": "seed"}
    assert [decision.chosen for decision in store.decisions.all()] == ["random", "seed", "doubt"]


def test_what_is_ignored_is_in_no_split(store: Store) -> None:
    ignored = said(store, "b", IGNORE)
    assert store.items.ids("pool") == ["a", "c"]
    assert [item.id for item in store.items.in_split("pool")] == ["a", "c"]
    assert store.items.counts()["pool"]["items"] == 2
    assert store.decisions.ignored() == {"b"}
    said(store, "b", LABEL, 1)
    assert not store.decisions.ignored()
    store.decisions.take_back(ignored)
    assert store.decisions.labels() == {"b": 1}


def test_a_seed_label_moves_the_item_behind_the_other_seeds_and_back(store: Store) -> None:
    said(store, "c", LABEL, 0, seed=True)
    made = said(store, "a", LABEL, 1, seed=True)
    assert [(item.id, item.label) for item in store.items.in_split("seed")] == [("c", 0), ("a", 1)]
    assert made.known == 2
    again = said(store, "a", LABEL, 0, seed=True)
    assert again.known == 2
    store.decisions.take_back(made)
    assert store.items.get(["a"])[0] == Item("a", "one", "seed", 0)
    store.decisions.take_back(again)
    assert store.items.get(["a"])[0] == Item("a", "one", "pool", 2)


def test_a_label_leaves_a_pool_item_and_its_true_label_alone(store: Store) -> None:
    made = said(store, "a", LABEL, 0, verdict=1, confidence=0.5)
    assert store.items.get(["a"])[0] == Item("a", "one", "pool", 2)
    assert store.decisions.standing("a") == made
    assert made.contradicts


def test_the_last_note_counts_and_decides_nothing(store: Store) -> None:
    said(store, "a", NOTE, note="ask Ben")
    last = said(store, "a", NOTE, note="Ben says no")
    assert store.decisions.note("a") == "Ben says no"
    assert store.decisions.standing("a") is None
    store.decisions.take_back(last)
    assert store.decisions.note("a") == "ask Ben"
    assert store.decisions.note("b") == ""


def test_texts_are_found_in_any_case(store: Store) -> None:
    assert store.items.find("STRASSE") == ["b"]
    assert store.items.find("T") == ["b", "c"]
    said(store, "c", LABEL, 0, seed=True)
    said(store, "b", IGNORE)
    assert store.items.find("t") == ["b", "c"]  # what was decided can be found again
    assert store.items.find("%") == []
