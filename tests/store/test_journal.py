"""The journal: whatever was changed behind mollia's back is found and named."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.domain.decisions import LABEL, NOTE, Decision
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.items import Item, Synthetic
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.settings import RunConfig
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.store.journal import KEYS, Journal, Key
from mollia_cli.store.store import Store
from mollia_cli.store.verify import Finding

THIRDS = np.full(3, 1 / 3)


def seen(item_id: str) -> Observation:
    return Observation(item_id, np.log(THIRDS), THIRDS, 1.0, 0.0, tokens=9)


@pytest.fixture
def store(tmp_path: Path, labels: LabelSet) -> Iterator[Store]:
    """A row in every table, two in most."""
    made = Store(tmp_path, labels, create=True)
    with made.transaction():
        number = made.imports.open("file.csv", "pool")
        made.items.add([Item("a", "one", "seed", 0), Item("b", "two"), Item("c", "three")], "file.csv", number)
        made.imports.change([Item("c", "three", "pool", 2)], "import", number)
    key = made.observations.register("llm", {"model": "x"})
    (tmp_path / "copy").mkdir()
    with sqlite3.connect(tmp_path / "copy" / "mollia.db") as copied:
        made._db.conn.backup(copied)
    copied.close()
    copy = Store(tmp_path / "copy", labels)
    copy.observations.add(key, [seen("c")])
    copy.close()
    made.observations.add(key, [seen(i) for i in "ab"], 2.0)
    made.merge([copy.path])
    fit = made.verdicts.add_fit("digest", "vote", [key], (1, 2), {})
    not_the_first = np.array([[True, False, False]] * 2)
    made.verdicts.add(fit.id, Verdicts(("b", "c"), np.ones(2, dtype=int), np.tile(THIRDS, (2, 1)), not_the_first))
    made.runs.put("main", RunConfig(rounds=1))
    made.runs.start_round("main", 0, [("b", 0.5, 1), ("c", 0.25, None)], 0.1)
    made.runs.update_round("main", 0, fit=fit.id, model="models/main/round-00", metrics={"test_micro_f1": 0.5})
    made.runs.add_opinions("main", 0, {"b": THIRDS, "c": THIRDS})
    made.decisions.add(Decision("b", LABEL, "ann", 2, seed=True))
    made.decisions.take_back(made.decisions.add(Decision("c", NOTE, "ann", note="hm")))
    made.synthetic.add([Synthetic("s", "made up", 0, "llm")], {"seed": 1})
    yield made
    made.close()


def behind(store: Store, sql: str) -> None:
    """SQL from another program, that knows of no foreign keys and has taken the triggers away."""
    with sqlite3.connect(store.path) as other:
        for trigger in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            other.execute(f"DROP TRIGGER {trigger[0]}")
        other.execute(sql)
    other.close()


def names(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.table, finding.what) for finding in findings]


def test_what_mollia_has_written_is_sound(store: Store) -> None:
    found = store.verify()
    assert found.findings == []
    assert found.rows.keys() == KEYS.keys()
    assert all(found.rows.values())
    assert found.head == store.journal.head()


def test_verifying_keeps_no_writer_out(tmp_path: Path, store: Store, labels: LabelSet) -> None:
    other = Store(tmp_path, labels)
    digests = store.journal.digests
    seen_tables = []

    def and_write(table: str) -> Iterator[tuple[Key, str]]:
        if not seen_tables:
            other.decisions.add(Decision("c", NOTE, "bob", note="in between"))
        seen_tables.append(table)
        return digests(table)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "digests", lambda self, table: and_write(table))
        assert store.verify().findings == []
    assert store.verify().entries == other.verify().entries
    other.close()


def test_the_journal_covers_every_table(store: Store) -> None:
    with sqlite3.connect(store.path) as other:
        made = {row[0] for row in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    other.close()
    assert made - {"_sqlite_migrations", "journal"} == KEYS.keys()


ALTERATIONS = {
    "label_sets": "UPDATE label_sets SET description = 'other' WHERE position = 1",
    "items": "UPDATE items SET text = 'forged' WHERE id = 'c'",
    "imports": "UPDATE imports SET name = 'other.csv'",
    "item_changes": "UPDATE item_changes SET label = 'billing'",
    "annotators": "UPDATE annotators SET identity = '{}'",
    "observations": "UPDATE observations SET votes = '[0, 0, 1]' WHERE item = 'b'",
    "merges": "UPDATE merges SET digest = 'forged'",
    "fits": "UPDATE fits SET state = '[]'",
    "verdicts": "UPDATE verdicts SET label = 'results', confidence = 0.99 WHERE item = 'c'",
    "runs": "UPDATE runs SET settings = '{}'",
    "rounds": "UPDATE rounds SET metrics = '{\"test_micro_f1\": 0.9}'",
    "selections": "UPDATE selections SET rank = 1 - rank WHERE item = 'c'",
    "opinions": "UPDATE opinions SET probabilities = x'00' WHERE item = 'c'",
    "decisions": "UPDATE decisions SET label = 'billing' WHERE id = 1",
    "synthetic": "UPDATE synthetic SET text = 'forged'",
}


@pytest.mark.parametrize("table", KEYS)
def test_an_altered_row_is_named(store: Store, table: str) -> None:
    behind(store, ALTERATIONS[table])
    [found] = store.verify().findings
    assert (found.table, found.what) == (table, "altered")
    assert tuple(found.key) == KEYS[table]


@pytest.mark.parametrize("table", KEYS)
def test_a_removed_row_is_named(store: Store, table: str) -> None:
    key = ", ".join(KEYS[table])
    behind(store, f"DELETE FROM {table} WHERE ({key}) = (SELECT {key} FROM {table} LIMIT 1)")
    [found] = store.verify().findings
    assert (found.table, found.what) == (table, "removed")
    assert None not in found.key.values()


def test_an_added_row_is_named(store: Store) -> None:
    behind(
        store, "INSERT INTO verdicts SELECT fit, 'a', label, confidence, probabilities, negatives FROM verdicts LIMIT 1"
    )
    [found] = store.verify().findings
    assert (found.table, found.key, found.what) == ("verdicts", {"fit": 1, "item": "a"}, "added")


def test_an_alteration_is_not_washed_away_by_what_mollia_writes_next(store: Store) -> None:
    behind(store, "UPDATE items SET text = 'forged' WHERE id = 'c'")
    store.decisions.add(Decision("c", LABEL, "ann", 1, seed=True))
    [found] = store.verify().findings
    assert (found.table, found.key, found.what) == ("items", {"id": "c"}, "altered")
    assert "when entry" in found.detail


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE journal SET verb = 'fit' WHERE seq = 3",
        "UPDATE journal SET at = '2020-01-01T00:00:00+00:00' WHERE seq = 3",
        "UPDATE journal SET count = count + 1 WHERE seq = 3",
        "UPDATE journal SET rows = (SELECT rows FROM journal WHERE seq = 4) WHERE seq = 3",
        "UPDATE journal SET rows = 'nonsense' WHERE seq = 3",
        "DELETE FROM journal WHERE seq = 3",
        "UPDATE journal SET hash = 'x' WHERE seq = (SELECT max(seq) FROM journal)",
    ],
)
def test_a_broken_chain_is_found(store: Store, sql: str) -> None:
    behind(store, sql)
    assert ("journal", "broken") in names(store.verify().findings)


def test_a_cut_chain_shows_by_a_head_that_was_noted(store: Store) -> None:
    head = store.journal.head()
    store.decisions.add(Decision("c", NOTE, "ann", note="the last word"))
    assert store.verify(head).since == 1
    noted = store.journal.head()
    behind(store, "DELETE FROM decisions WHERE note = 'the last word'")
    behind(store, "DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)")
    assert store.verify().findings == []  # the chain cannot know what stood behind its end
    assert names(store.verify(noted).findings) == [("journal", "broken")]


@pytest.mark.parametrize("sql", ["DELETE FROM journal", "UPDATE journal SET count = 0", "UPDATE journal SET rows = ''"])
def test_the_journal_refuses_to_be_changed(store: Store, sql: str) -> None:
    with sqlite3.connect(store.path) as other, pytest.raises(sqlite3.IntegrityError, match="only added to"):
        other.execute(sql)
    other.close()


def test_rows_that_come_again_as_they_are_make_no_entry(store: Store) -> None:
    head = store.journal.head()
    key = store.observations.register("llm", {"model": "x"})
    store.observations.add(key, [seen("a"), seen("b")])
    assert store.journal.head() == head


def test_a_batch_is_one_entry(store: Store) -> None:
    before = store.verify().entries
    with store.transaction():
        store.items.add([Item(f"n{n}", f"number {n}") for n in range(1000)], "more.csv")
    [*_, last] = store.journal.entries()
    assert (last.seq, last.verb, last.what, last.count) == (before + 1, "import", "items", 1000)


def test_a_failed_batch_leaves_neither_rows_nor_entry(store: Store) -> None:
    head = store.journal.head()
    with pytest.raises(MolliaError, match="UNIQUE constraint failed: items"), store.transaction():
        store.items.add([Item("x", "new"), Item("y", "one")], "more.csv")
    assert store.journal.head() == head
    assert store.verify().findings == []


def test_two_writers_take_turns(tmp_path: Path, store: Store, labels: LabelSet) -> None:
    other = Store(tmp_path, labels)
    for number in range(10):
        one = (store, other)[number % 2]
        one.decisions.add(replace(Decision("c", NOTE, "ann"), note=str(number)))
    other.close()
    assert store.verify().findings == []
