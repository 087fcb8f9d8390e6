"""``mollia merge``: what copies have observed comes home; what is no copy as mollia writes it is refused."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.domain.digest import digest_file
from mollia_cli.domain.errors import MolliaError, NotFoundError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.store.foreign import Foreign
from mollia_cli.store.store import Store

IDS = [f"i{n:03d}" for n in range(30)]


def seen(item_id: str, shift: float = 0.0) -> Observation:
    z = np.array([0.2, 0.3, 0.4]) - shift
    return Observation(item_id, np.log(z), np.array([0.3, 0.3, 0.3]), float(z.sum()), 0.1, 0.01, ("hm",), 9)


def rows(store: Store) -> list[tuple[object, ...]]:
    return store._db.execute("SELECT * FROM observations ORDER BY annotator, item").fetchall()


@pytest.fixture
def home(tmp_path: Path, labels: LabelSet) -> Iterator[Store]:
    """Thirty texts, none of them read."""
    (tmp_path / "home").mkdir()
    made = Store(tmp_path / "home", labels, create=True)
    with made.transaction():
        made.items.add([Item(item_id, f"text of {item_id}") for item_id in IDS], "file.csv")
    yield made
    made.close()


@pytest.fixture
def copy(home: Store, labels: LabelSet, tmp_path: Path) -> Callable[..., Path]:
    """Makes copies of it in which some items are read; the file."""

    def make(name: str, ids: list[str], shift: float = 0.0, model: str = "x") -> Path:
        home._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copytree(home.path.parent, tmp_path / name)
        there = Store(tmp_path / name, labels)
        key = there.observations.register("llm", {"model": model, "labels": labels.digest})
        there.observations.add(key, [seen(item_id, shift) for item_id in ids], seconds=3.0, memory=1 << 20)
        there.close()
        return there.path

    return make


def test_parts_come_home(home: Store, copy: Callable[..., Path], labels: LabelSet) -> None:
    files = [copy("a", IDS[::2]), copy("b", IDS[1::2]), copy("c", IDS[:3], model="y")]
    before = [(digest_file(file), sorted(file.parent.iterdir())) for file in files]
    done = home.merge(files)
    counts = [[(one.name, one.new, one.there, one.different) for one in file.annotators] for file in done]
    assert counts == [[("llm", 15, 0, 0)], [("llm", 15, 0, 0)], [("llm", 3, 0, 0)]]
    assert [(digest_file(file), sorted(file.parent.iterdir())) for file in files] == before
    expected: list[tuple[object, ...]] = []
    for file in files:
        there = Store(file.parent, labels)
        expected += rows(there)
        there.close()
    assert rows(home) == sorted(expected, key=lambda row: (str(row[0]), str(row[1])))
    assert {row["name"]: round(row["seconds"], 6) for row in home.observations.summary()} == {"llm": 3.0}
    assert not home.verify().findings
    recorded = home._db.execute("SELECT name, digest, new, there, different FROM merges").fetchall()
    assert recorded == [
        (str(file), digest, n, 0, 0) for file, (digest, _), n in zip(files, before, (15, 15, 3), strict=True)
    ]
    verbs = [entry.verb for entry in home.journal.entries()]
    assert verbs.count("merge") == 6  # of each file its observations, and the row that records it


def test_what_is_here_is_not_written_again(home: Store, copy: Callable[..., Path]) -> None:
    [one, other] = copy("a", IDS[:20]), copy("b", IDS[10:], shift=0.1)
    home.merge([one])
    before, head = rows(home), home.journal.head()
    [again] = home.merge([one])
    assert [(a.new, a.there, a.different) for a in again.annotators] == [(0, 20, 0)]
    assert (rows(home), home.journal.head()) == (before, head)
    [changed] = home.merge([other])
    [found] = changed.annotators
    assert (found.new, found.there, found.different, found.first_different) == (10, 0, 10, IDS[10])
    assert rows(home)[:20] == before


def test_a_dry_run_adds_nothing(home: Store, copy: Callable[..., Path]) -> None:
    file, head = copy("a", IDS[:5]), home.journal.head()
    [looked] = home.merge([file], dry_run=True)
    assert [(a.new, a.there, a.different) for a in looked.annotators] == [(5, 0, 0)]
    assert (rows(home), home.journal.head()) == ([], head)
    assert [looked] == home.merge([file])


def test_all_or_nothing(home: Store, copy: Callable[..., Path]) -> None:
    good, bad = copy("a", IDS[:5]), copy("b", IDS[5:])
    alter(bad, "UPDATE observations SET mass = 2 WHERE item = 'i029'")
    head = home.journal.head()
    with pytest.raises(RefusedError, match="i029"):
        home.merge([good, bad])
    assert (rows(home), home.journal.head()) == ([], head)
    assert not home.verify().findings


def test_a_stick_that_cannot_be_written(home: Store, copy: Callable[..., Path]) -> None:
    file = copy("a", IDS[:5])
    file.chmod(0o400)
    file.parent.chmod(0o500)
    try:
        assert home.merge([file])[0].annotators[0].new == 5
    finally:
        file.parent.chmod(0o700)


def alter(file: Path, *statements: str) -> None:
    """SQL from another program, that knows of no foreign keys, triggers or limits."""
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA ignore_check_constraints = ON")
        other.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            other.execute(statement)
        other.commit()
        other.execute("PRAGMA journal_mode = DELETE")


def observed(column: str, value: str) -> tuple[str, ...]:
    return (f"UPDATE observations SET {column} = {value} WHERE item = 'i003'",)


def identified(identity: str, key: str = "") -> tuple[str, ...]:
    """Another identity, and perhaps another key."""
    return (
        f"UPDATE annotators SET identity = '{identity}'",
        *([f"UPDATE annotators SET key = '{key}'", f"UPDATE observations SET annotator = '{key}'"] if key else []),
    )


ALTERED = {
    # what is there: the statements, and words of the error
    "a log-probability of nan": (observed("log_probs", "'[NaN, -1.0, -1.0]'"), "log-probability"),
    "a log-probability of -inf": (observed("log_probs", "'[-Infinity, -1.0, -1.0]'"), "log-probability"),
    "a log-probability of 1e999": (observed("log_probs", "'[-1e999, -1.0, -1.0]'"), "log-probability"),
    "a probability over 1": (observed("log_probs", "'[0.5, -1.0, -1.0]'"), "log-probability"),
    "an integer too large": (observed("log_probs", f"'[-{10**25}, -1.0, -1.0]'"), "log-probability"),
    "too few numbers": (observed("log_probs", "'[-1.0, -1.0]'"), "a number for each label"),
    "too many votes": (observed("votes", "'[0.3, 0.3, 0.3, 0.0]'"), "a number for each label"),
    "no array": (observed("votes", "'{\"0\": 0.3}'"), "a number for each label"),
    "no JSON": (observed("votes", "'0.3, 0.3'"), "a number for each label"),
    "truths for numbers": (observed("votes", "'[true, false, false]'"), "a number for each label"),
    "a blob": (observed("votes", "x'00ff'"), "a number for each label"),
    "a huge array": (observed("votes", "'[' || hex(zeroblob(1000000)) || ']'"), "a number for each label"),
    "a vote of nan": (observed("votes", "'[NaN, 0.5, 0.5]'"), "a share"),
    "a negative vote": (observed("votes", "'[-0.3, 0.6, 0.6]'"), "a share"),
    "votes that do not sum to 1": (observed("votes", "'[0.3, 0.3, 0.2]'"), "sum to 1"),
    "a mass over 1": (observed("mass", "1.01"), "a share"),
    "a mass that is text": (observed("mass", "'much'"), "a share"),
    "a mass of infinity": (observed("mass", "9e999"), "a share"),
    "an invalid rate below 0": (observed("invalid", "-0.1"), "a share"),
    "infinite slack": (observed("slack", "9e999"), "slack, seconds or memory"),
    "negative seconds": (observed("seconds", "-1.0"), "slack, seconds or memory"),
    "memory that is text": (observed("memory", "'all'"), "slack, seconds or memory"),
    "negative tokens": (observed("tokens", "-1"), "tokens"),
    "truncated twice": (observed("truncated", "2"), "tokens"),
    "answers that are numbers": (observed("answers", "'[1]'"), "answers"),
    "answers without end": (observed("answers", "'[\"' || hex(zeroblob(1000000)) || '\"]'"), "answers"),
    "a value of 70 MB": (("UPDATE observations SET answers = zeroblob(70000000) WHERE item = 'i003'",), "too big"),
    "text that is not UTF-8": (observed("answers", "CAST(x'5bff5d' AS TEXT)"), "cannot be read"),
    "an item of another text": (("UPDATE items SET text = 'other' WHERE id = 'i003'",), "another text than here"),
    "an item of another text and its digest": (
        ("UPDATE items SET text = 'other', text_digest = 'other' WHERE id = 'i029'",),
        "another text than here",
    ),
    "a text that is a blob": (("UPDATE items SET text = x'00' WHERE id = 'i003'",), "no text"),
    "an item that is not here": (
        ("UPDATE items SET id = 'z' WHERE id = 'i003'", "UPDATE observations SET item = 'z' WHERE item = 'i003'"),
        "not here: 'z'",
    ),
    "an observation of no item": (("DELETE FROM items WHERE id = 'i003'",), "observations of items"),
    "an observation of nobody": (("DELETE FROM annotators",), "observations of annotators"),
    "labels in another order": (
        ("UPDATE label_sets SET position = 9 WHERE position = 0",),
        "other labels",
    ),
    "a label that means another thing": (("UPDATE label_sets SET description = 'x'",), "other labels"),
    "no labels": (("DELETE FROM label_sets",), "other labels"),
    "a million labels": (
        (
            "INSERT INTO label_sets WITH RECURSIVE n(i) AS (SELECT 9 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
            " SELECT 'x', i, 'l' || i, '', 1 FROM n",
        ),
        "other labels",
    ),
    "an identity that is not its key's": (identified('{"model":"y"}'), "not the digest"),
    "an identity that is no object": (identified("[]", "4f53cda18c2baa0c0354bb5f9a3ecbe5"), "not the digest"),
    "an identity written otherwise": (
        identified('{"model": "x"}', "8392916ad2b77d344823f42bbbd49ea4"),
        "not the digest",
    ),
    "an identity with nan": (identified('{"a":NaN}'), "not the digest"),
    "an identity as deep as a well": (identified("[" * 200_000 + "]" * 200_000), "not the digest"),
    "a nameless annotator": (("UPDATE annotators SET name = ''",), "name is none"),
    "a trigger": (
        ("CREATE TRIGGER t AFTER INSERT ON merges BEGIN DELETE FROM items; END",),
        "another schema",
    ),
    "a view": (("CREATE VIEW v AS SELECT * FROM items",), "another schema"),
    "a view in a table's place": (
        (
            "ALTER TABLE label_sets RENAME TO kept",
            "CREATE VIEW label_sets AS SELECT * FROM kept",
        ),
        "another schema",
    ),
    "a trigger called as SQLite's own": (
        (
            "CREATE TRIGGER t AFTER INSERT ON merges BEGIN DELETE FROM items; END",
            "UPDATE sqlite_master SET name = 'sqlite_t' WHERE name = 't'",
        ),
        "cannot be read",
    ),
    "a generated column": (("ALTER TABLE merges ADD COLUMN g AS (hex(zeroblob(1000)))",), "another schema"),
    "a virtual table": (("CREATE VIRTUAL TABLE f USING fts5(x)",), "another schema"),
    "a check of one's own": (
        ("UPDATE sqlite_master SET sql = replace(sql, 'REAL, --', 'REAL CHECK (1), --') WHERE name = 'observations'",),
        "another schema",
    ),
    "a newer mollia": (
        ("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('mollia', 'm002_more')",),
        "another version of mollia",
    ),
    "an older mollia": (("DELETE FROM _sqlite_migrations",), "another version of mollia"),
    "no table of texts": (("DROP TABLE items",), "no project's database"),
    "a schema that is no text": (
        (
            "UPDATE sqlite_master SET sql = CAST(x'435245415445205441424c45206d2028612920ff' AS TEXT)"
            " WHERE name = 'merges'",
        ),
        "cannot be read",
    ),
    "two indexes that are each other's": (
        (
            "UPDATE sqlite_master SET rootpage = (SELECT sum(rootpage) FROM sqlite_master"
            " WHERE name IN ('items_by_split', 'items_by_folded')) - rootpage"
            " WHERE name IN ('items_by_split', 'items_by_folded')",
        ),
        "is damaged",
    ),
    "two tables on one page": (
        (
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'items')"
            " WHERE name = 'observations'",
        ),
        "damaged|cannot be read",
    ),
}


@pytest.mark.parametrize("case", ALTERED)
def test_an_altered_file_is_refused(home: Store, copy: Callable[..., Path], case: str) -> None:
    statements, words = ALTERED[case]
    file, head = copy("a", IDS[:20]), home.journal.head()
    alter(file, *statements)
    with pytest.raises(RefusedError, match=words) as found:
        home.merge([file])
    check_one_line(found.value, file)
    assert (rows(home), home.journal.head()) == ([], head)


def check_one_line(error: MolliaError, file: Path) -> None:
    assert str(file) in error.message and error.hint
    assert "\n" not in error.message and len(error.message) < len(str(file)) + 200


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def scribbled(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096 * 5 : 4096 * 30] = b"\xff" * (4096 * 25)
    file.write_bytes(data)


def linked(file: Path) -> None:
    file.rename(file.with_name("real.db"))
    file.symlink_to("real.db")


def unread_log(file: Path) -> None:
    file.with_name("mollia.db-wal").write_bytes(b"more")


def log_elsewhere(file: Path) -> None:
    file.with_name("mollia.db-wal").symlink_to("/dev/null")


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def words(file: Path) -> None:
    file.write_text("id,text\n1,a\n" * 99)


def head_alone(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def another_database(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE items (id, text)")
        other.commit()


MADE: dict[Callable[[Path], None], str] = {
    cut: "cannot be read|damaged",
    scribbled: "cannot be read|damaged",
    linked: "a link",
    a_pipe: "a link or no file",
    unread_log: "is being written, or its command was killed",
    log_elsewhere: "is being written, or its command was killed",
    empty: "no SQLite file",
    words: "no SQLite file",
    head_alone: "cannot be read|damaged",
    another_database: "no project's database",
}


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_what_is_no_whole_file_of_a_project_is_refused(
    home: Store, copy: Callable[..., Path], make: Callable[[Path], None]
) -> None:
    file = copy("a", IDS[:20])
    make(file)
    with pytest.raises(RefusedError, match=MADE[make]) as found:
        home.merge([file])
    check_one_line(found.value, file)
    assert rows(home) == []


def test_a_file_that_is_not_there(home: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no"):
        home.merge([tmp_path / "nothing.db"])


def test_a_file_that_changes_while_it_is_read(
    home: Store, copy: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = copy("a", IDS[:20])
    check = Foreign.has_labels

    def touched(self: Foreign, labels: Sequence[tuple[object, ...]]) -> bool:
        os.utime(file, ns=(1, 1))
        return check(self, labels)

    monkeypatch.setattr(Foreign, "has_labels", touched)
    with pytest.raises(RefusedError, match="was written to while it was read"):
        home.merge([file])
    assert rows(home) == []


def test_answers_to_other_questions_come_along(home: Store, copy: Callable[..., Path], labels: LabelSet) -> None:
    """A strategy asks yes or no, which are no labels of the project."""
    file = copy("a", [])
    there = Store(file.parent, labels)
    key = there.observations.register("llm (doubt)", {"labels": "elsewhere"})
    two = np.array([0.5, 0.5])
    there.observations.add(key, [Observation(item_id, np.log(two), two, 1.0, 0.0) for item_id in IDS[:4]])
    there.close()
    assert [one.new for one in home.merge([file])[0].annotators] == [4]
    assert json.loads(str(rows(home)[0][3])) == [0.5, 0.5]
