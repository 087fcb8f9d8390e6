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


def by(store: Store, who: str, label: int | None, item_id: str = "b", **more: object) -> Decision:
    return store.decisions.add(Decision(item_id, IGNORE if label is None else LABEL, who, label, **more))  # type: ignore[arg-type]


def test_of_one_person_the_last_label_holds_and_of_several_the_majoritys(store: Store) -> None:
    by(store, "anna", 0)
    by(store, "anna", 1)
    assert store.decisions.labels() == {"b": 1}
    by(store, "ben", 0)
    assert store.decisions.labels() == {}
    assert store.decisions.standing("b") is None
    assert store.decisions.disagreements() == ["b"]
    assert [(d.who, d.label) for d in store.decisions.own("b")] == [("anna", 1), ("ben", 0)]
    third = by(store, "cleo", 0)
    assert store.decisions.labels() == {"b": 0} and store.decisions.whose() == {"b": "ben, cleo"}
    assert not store.decisions.disagreements()
    by(store, "anna", 0)  # she has come round
    store.decisions.take_back(third)
    assert store.decisions.whose() == {"b": "ben, anna"}


def test_whether_to_leave_an_item_out_can_be_disagreed_on_too(store: Store) -> None:
    by(store, "anna", None)
    assert store.decisions.ignored() == {"b"}
    by(store, "ben", 1)
    assert not store.decisions.ignored() and not store.decisions.labels()
    assert store.items.ids("pool") == ["a", "b", "c"]
    by(store, "cleo", None)
    assert store.decisions.ignored() == {"b"}


def test_an_adjudication_holds_until_it_is_taken_back(store: Store) -> None:
    for who, label in (("anna", 0), ("ben", 1)):
        by(store, who, label)
    made = by(store, "anna", 1, adjudicates=True)
    assert store.decisions.labels() == {"b": 1} and store.decisions.whose() == {"b": "anna"}
    assert [(d.who, d.label) for d in store.decisions.own()] == [("anna", 0), ("ben", 1)]  # her own was another
    by(store, "cleo", 0)
    assert store.decisions.standing("b") == made  # although two of three say otherwise
    store.decisions.take_back(made)
    assert store.decisions.labels() == {"b": 0}


def test_a_seed_item_that_people_disagree_on_waits_in_the_pool(store: Store) -> None:
    by(store, "anna", 0, "a", seed=True)
    by(store, "ben", 1, "a", seed=True)
    assert store.items.get(["a"])[0] == Item("a", "one", "pool", 2)
    by(store, "cleo", 1, "a", seed=True, adjudicates=True)
    assert store.items.get(["a"])[0] == Item("a", "one", "seed", 1)


def test_the_views_say_whose_a_label_is_and_who_disagrees(store: Store) -> None:
    by(store, "anna", 0)
    by(store, "ben", 1)
    by(store, "ben", 2, "a")
    rows = store._db.execute("SELECT item, who, label FROM disagreements ORDER BY id").fetchall()
    assert rows == [("b", "anna", "billing"), ("b", "ben", "results")]
    assert store._db.execute("SELECT id, source, who FROM labelled_items").fetchall() == [("a", "human", "ben")]


def test_texts_are_found_in_any_case(store: Store) -> None:
    assert store.items.find("STRASSE") == ["b"]
    assert store.items.find("T") == ["b", "c"]
    said(store, "c", LABEL, 0, seed=True)
    said(store, "b", IGNORE)
    assert store.items.find("t") == ["b", "c"]  # what was decided can be found again
    assert store.items.find("%") == []
