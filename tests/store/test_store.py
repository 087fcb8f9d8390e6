"""The project's database: what is stored comes back, once, and nothing of another identity."""

import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlite_utils import Database, Migrations

from mollia_cli.domain.errors import MolliaError, NotFoundError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.settings import RunConfig
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.store.database import DATABASE_FILE
from mollia_cli.store.migrations import migrations
from mollia_cli.store.store import Store


@pytest.fixture
def store(tmp_path: Path, labels: LabelSet) -> Store:
    made = Store(tmp_path, labels, create=True)
    with made.transaction():
        made.items.add([Item("a", "one", "seed", 0), Item("b", "two"), Item("c", "three", "pool", 2)], "file.csv")
    return made


def observation(item_id: str, value: float) -> Observation:
    return Observation(
        item_id, np.log([value, 0.1, 0.1]), np.array([0.9, 0.0, 0.0]), value + 0.2, 0.1, answers=("maybe",), tokens=7
    )


def test_only_the_owner_may_read_it(tmp_path: Path, store: Store) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_items_come_back_in_the_order_asked_for(store: Store) -> None:
    assert [item.id for item in store.items.get(["c", "a"])] == ["c", "a"]
    assert store.items.get(["c"])[0].label == 2
    assert store.items.ids("pool") == ["b", "c"]
    assert store.items.counts() == {"pool": {"items": 2, "labelled": 1}, "seed": {"items": 1, "labelled": 1}}


def test_an_unknown_id_is_named(store: Store) -> None:
    with pytest.raises(NotFoundError, match="'zz'"):
        store.items.get(["a", "zz"])


def test_observations_belong_to_one_identity(store: Store) -> None:
    one = store.observations.register("llm", {"model": "x", "prompt": 1})
    two = store.observations.register("llm", {"model": "x", "prompt": 2})
    assert one != two
    store.observations.add(one, [observation("a", 0.5)])
    assert store.observations.missing(one, ["a", "b"]) == ["b"]
    assert store.observations.missing(two, ["a", "b"]) == ["a", "b"]
    found = store.observations.get(one, ["a", "b"])
    assert list(found) == ["a"]
    assert found["a"].answers == ("maybe",)
    np.testing.assert_allclose(found["a"].log_probs, observation("a", 0.5).log_probs, atol=1e-7)


def test_the_identity_that_a_name_had_last(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, key in enumerate("zam"):  # neither the order of the keys nor that of the rows
        monkeypatch.setattr("mollia_cli.store.observations.not_before", lambda *_, n=number: f"2026-01-0{n + 1}")
        store.observations.register("big", {"model": key})
    assert store.observations.last_identity("big") == {"model": "m"}
    assert store.observations.last_identity("small") == {}


def test_asked_again_the_first_observation_stays(store: Store) -> None:
    key = store.observations.register("llm", {"model": "x"})
    store.observations.add(key, [observation("a", 0.5)])
    store.observations.add(key, [observation("a", 0.7)])
    np.testing.assert_allclose(store.observations.get(key, ["a"])["a"].log_probs[0], np.log(0.5), atol=1e-7)


def test_the_seconds_of_a_batch_are_added_up(store: Store) -> None:
    key = store.observations.register("llm", {})
    assert store.observations.summary()[0]["seconds"] is None
    store.observations.add(key, [observation("a", 0.5), observation("b", 0.5)], seconds=3.0)
    store.observations.add(key, [observation("c", 0.5)])
    row = store.observations.summary()[0]
    assert (row["items"], row["tokens"], row["seconds"]) == (3, 21, pytest.approx(3.0))


def test_the_memory_of_an_annotator_is_the_most_of_its_batches(store: Store) -> None:
    key = store.observations.register("llm", {})
    assert store.observations.summary()[0]["memory"] is None
    for item_id, memory in (("a", 300), ("b", 500), ("c", None)):
        store.observations.add(key, [observation(item_id, 0.5)], memory=memory)
    assert store.observations.summary()[0]["memory"] == 500
    assert store._db.execute("SELECT memory FROM annotator_costs").fetchone() == (500,)


def test_zero_probability_survives(store: Store) -> None:
    key = store.observations.register("llm", {})
    store.observations.add(key, [Observation("a", np.array([0.0, -np.inf, -np.inf]), np.array([1.0, 0, 0]), 1.0, 0.0)])
    assert np.exp(store.observations.get(key, ["a"])["a"].log_probs).tolist() == [1.0, 0.0, 0.0]


ON_B = Verdicts(("b",), np.array([1]), np.array([[0.1, 0.75, 0.15]]), np.array([[True, False, True]]))


def test_verdicts_of_a_fit(store: Store) -> None:
    fit = store.verdicts.add_fit("digest", "vote", ["k1"], (3, 0), {"x": [1.5]})
    assert store.verdicts.find_fit("digest") == fit
    assert store.verdicts.latest_fit() is None
    assert store.verdicts.add_fit("digest", "vote", ["k1"], (3, 0), {}).id == fit.id
    store.verdicts.add(fit.id, ON_B)
    assert store.verdicts.latest_fit() == fit
    other = store.verdicts.add_fit("other", "vote", ["k1"], (3, 0), {})
    aggregated = "SELECT aggregated FROM fits ORDER BY id"
    for again, counts in ((fit, [1, None]), (other, [1, 2]), (other, [1, 2]), (fit, [3, 2])):
        store.verdicts.add(again.id, Verdicts.none(3))
        assert store.verdicts.latest_fit() == again
        assert [count for (count,) in store._db.execute(aggregated)] == counts
    found = store.verdicts.get(fit.id, ["a", "b"])
    assert found.ids == ("b",)
    for name in ("labels", "probabilities", "negatives"):
        np.testing.assert_array_equal(getattr(found, name), getattr(ON_B, name))
        assert getattr(found, name).dtype == getattr(ON_B, name).dtype
    assert store.verdicts.get(fit.id, ["a"]).negatives.shape == (0, 3)


def test_stored_verdicts_follow_the_ids_asked_for(store: Store) -> None:
    fit = store.verdicts.add_fit("digest", "vote", ["k1"], (3, 0), {})
    both = Verdicts(
        ("a", "b"), np.array([2, 1]), np.array([[0.1, 0.2, 0.7], [0.3, 0.4, 0.3]]), np.eye(3, dtype=bool)[:2]
    )
    store.verdicts.add(fit.id, both)
    found = store.verdicts.get(fit.id, ["b", "nobody", "a"])
    assert found.ids == ("b", "a")
    assert (found.labels.tolist(), found.negatives.tolist()) == ([1, 2], both.negatives[::-1].tolist())
    assert found.confidences.tolist() == [0.4, 0.7]


def test_a_verdict_is_added_and_never_changed(store: Store) -> None:
    fit = store.verdicts.add_fit("digest", "vote", ["k1"], (3, 0), {})
    for verdicts in (ON_B, replace(ON_B, labels=np.array([0]), negatives=~ON_B.negatives)):
        store.verdicts.add(fit.id, verdicts)
    [found] = store.verdicts.get(fit.id, ["b"]).rows()
    assert (found.label, found.negatives) == (1, (0, 2))


def test_verdicts_are_stored_all_or_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mollia_cli.store.verdicts._AT_ONCE", 1)
    before = store.verdicts.add_fit("before", "vote", ["k1"], (3, 0), {})
    store.verdicts.add(before.id, Verdicts.none(3))
    fit = store.verdicts.add_fit("digest", "vote", ["k1"], (3, 0), {})
    entries = len(list(store.journal.entries()))

    insert, parts = store.verdicts._insert, []

    def stopped(fit_id: int, part: Verdicts) -> None:
        if len(parts) == 2:
            raise KeyboardInterrupt
        parts.append(part.ids)
        insert(fit_id, part)

    monkeypatch.setattr(store.verdicts, "_insert", stopped)
    three = ON_B.joined(ON_B, ON_B)
    with pytest.raises(KeyboardInterrupt):
        store.verdicts.add(fit.id, replace(three, ids=("a", "b", "c")))
    assert parts == [("a",), ("b",)]
    assert store.verdicts.confidences(fit.id) == {}
    assert store.verdicts.latest_fit() == before
    assert len(list(store.journal.entries())) == entries


def test_rounds_grow_and_keep_what_they_know(store: Store) -> None:
    store.runs.put("main", RunConfig(strategy="random"))
    store.runs.start_round("main", 0, [], 0.0)
    store.runs.start_round("main", 1, [("b", 2.5, 1), ("c", 1.5, None)], 0.25)
    store.runs.update_round("main", 1, seconds={"annotate": 1.0})
    store.runs.update_round("main", 1, seconds={"train": 2.0}, memory=700)
    store.runs.update_round("main", 1, metrics={"test_micro_f1": 0.5}, model="models/main/1")
    first, second = store.runs.rounds("main")
    assert first.metrics is None
    assert (first.memory, second.memory) == (None, 700)
    assert store._db.execute("SELECT memory FROM round_results ORDER BY round").fetchall() == [(None,), (700,)]
    assert second.seconds == {"select": 0.25, "annotate": 1.0, "train": 2.0}
    assert (second.model, second.metrics) == ("models/main/1", {"test_micro_f1": 0.5})
    assert [(s.item_id, s.opinion) for s in store.runs.selections("main", 1)] == [("b", 1), ("c", None)]


def test_the_run_used_last_comes_first(store: Store) -> None:
    for name in ("one", "two", "one"):
        store.runs.put(name, RunConfig())
    assert store.runs.names() == ["one", "two"]


def test_a_selection_cannot_be_made_twice(store: Store) -> None:
    store.runs.put("main", RunConfig())
    store.runs.start_round("main", 0, [("b", 1.0, None)], 0.0)
    with pytest.raises(MolliaError, match="UNIQUE constraint failed: selections"):
        store.runs.start_round("main", 1, [("b", 1.0, None)], 0.0)
    assert [record.number for record in store.runs.rounds("main")] == [0]


def test_a_database_of_a_newer_mollia_is_refused(tmp_path: Path, labels: LabelSet, store: Store) -> None:
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('mollia', 'm999_later', 'now')"
        )
    with pytest.raises(RefusedError, match="newer"):
        Store(tmp_path, labels)


def test_a_database_from_before_the_first_release_is_refused_and_left_alone(tmp_path: Path, labels: LabelSet) -> None:
    """Its layout: another first migration, of the same migrations' name."""
    path = tmp_path / DATABASE_FILE
    old = Database(path)
    old.enable_wal()
    before = Migrations("mollia")
    before(name="m001_items_and_observations")(lambda db: db.execute("CREATE TABLE items (id TEXT, text TEXT)"))
    before.apply(old)
    old.close()
    kept = path.read_bytes()
    with pytest.raises(RefusedError, match="before its first release") as caught:
        Store(tmp_path, labels)
    assert "mollia init" in caught.value.hint
    assert path.read_bytes() == kept


def test_a_later_migration_is_applied_after_a_copy(
    tmp_path: Path, labels: LabelSet, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    monkeypatch.setattr(migrations, "_migrations", [*migrations._migrations])
    migrations(name="m002_made_up")(lambda db: db.execute("ALTER TABLE items ADD COLUMN made_up TEXT"))
    said: list[str] = []
    again = Store(tmp_path, labels, say=said.append)
    assert again._db.execute("SELECT id, made_up FROM items WHERE id = 'a'").fetchall() == [("a", None)]
    assert again.verify().findings == []
    again.close()
    [remark] = said
    assert remark.endswith("it is kept as " + str(store.path.with_name(f"{DATABASE_FILE}.before-m002")))


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, labels: LabelSet) -> None:
    path = tmp_path / "mollia.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(RefusedError, match="no database"):
        Store(tmp_path, labels)
    assert path.read_bytes() == b"this is not a database" * 100


def test_a_full_disk_has_a_message(store: Store) -> None:
    store._db.execute("PRAGMA max_page_count = 40")
    with pytest.raises(MolliaError, match="the disk is full") as caught, store.transaction():
        store.items.add((Item(str(n), f"text {n} " * 200) for n in range(1000)), "big.csv")
    assert "same command again" in caught.value.hint
    assert store.items.ids("pool") == ["b", "c"]


def two_is_unreadable(text: str) -> str:
    if text == "two":  # and not the first row, which is read before it is asked for
        raise ValueError(text)
    return text


def asked(store: Store) -> sqlite3.Cursor:
    return store._db.execute("SELECT unreadable(text) FROM items ORDER BY position")


def commits(store: Store) -> None:
    with store.transaction():
        store._db.execute("PRAGMA defer_foreign_keys = ON")
        store._db.execute("INSERT INTO opinions VALUES ('no run', 0, 'a', '[]')")


@pytest.mark.parametrize(
    ("does", "named"),
    [
        (lambda store: store._db.execute("SELECT worth FROM items"), "no such column: worth"),
        (lambda store: store._db.conn.executemany("INSERT INTO items VALUES (?)", [(1,)]), "columns but 1 values"),
        (lambda store: list(asked(store)), "user-defined function"),
        (lambda store: list(iter(asked(store).fetchone, None)), "user-defined function"),
        (lambda store: asked(store).fetchall(), "user-defined function"),
        (lambda store: asked(store).fetchmany(2), "user-defined function"),
        (commits, "FOREIGN KEY constraint failed"),
    ],
)
def test_whatever_sqlite_cannot_do_is_a_message(store: Store, does: Callable[[Store], object], named: str) -> None:
    """Wherever it happens: asking, reading a row, or at the end of a transaction."""
    store._db.conn.create_function("unreadable", 1, two_is_unreadable)
    with pytest.raises(MolliaError, match=named) as caught:
        does(store)
    assert str(store.path) in caught.value.message
    assert "--debug" in caught.value.hint
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert store.items.ids("pool") == ["b", "c"]


def test_who_waits_too_long_for_another_writer_is_told(
    tmp_path: Path, labels: LabelSet, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mollia_cli.store.writing.BUSY_SECONDS", 0.2)
    other = Store(tmp_path, labels)
    other._db.execute("PRAGMA busy_timeout = 50")
    with store.transaction(), pytest.raises(MolliaError, match="locked by another process") as caught:
        other.runs.put("main", RunConfig())
    assert "wait until the other" in caught.value.hint
    other.runs.put("main", RunConfig())
    other.close()


def test_init_goes_on_after_one_that_was_killed(tmp_path: Path, labels: LabelSet) -> None:
    Store(tmp_path, labels, create=True).close()
    store = Store(tmp_path, labels, create=True)
    with store.transaction():
        store.items.add([Item("a", "a text")], "test")
    store.close()
    with pytest.raises(RefusedError, match="holds items"):
        Store(tmp_path, labels, create=True)
    store = Store(tmp_path, labels)
    assert [item.text for item in store.items.in_split("pool")] == ["a text"]
    assert store.damage() == []
    store.close()
