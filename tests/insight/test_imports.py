"""Imports are taken back, items are moved, and what hangs on them is named. No model is needed."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.settings import RunConfig
from mollia_cli.insight.imports import list_imports, move, near_duplicates, undo_import
from mollia_cli.project.context import Project
from mollia_cli.project.ingest import ImportReport, ingest

QUARTERS = np.full(4, 0.25)


def take(project: Project, text: str, split: str = "pool") -> ImportReport:
    path = project.root.parent / f"{split}.csv"
    path.write_text(text, encoding="utf-8")
    return ingest(project, path, split, name=path.name)


def state(project: Project) -> list[tuple[str, str, int | None]]:
    """(text, split, label) of every item that was not there at the beginning."""
    splits = ("pool", "seed", "validation", "test")
    items = [item for split in splits for item in project.store.items.in_split(split)]
    return sorted((item.text, item.split, item.label) for item in items if not item.text.startswith("text "))


def test_an_import_is_taken_back_with_what_it_changed(observed: Project) -> None:
    take(observed, "text\none\ntwo\n")
    before = state(observed)
    report = take(observed, "text,label\none,red\ntwo,grey\nthree,blue\n", "seed")
    assert len(state(observed)) == 3 and state(observed) != before
    done = undo_import(observed, 2)
    assert (report.number, done.removed, done.restored, done.rows) == (2, 1, 2, {})
    assert state(observed) == before
    assert observed.store.verify().findings == []
    assert [(one.number, one.added, one.changed, bool(one.undone_at)) for one in list_imports(observed)] == [
        (1, 2, 0, False),
        (2, 0, 0, True),
    ]
    with pytest.raises(InputError, match="already"):
        undo_import(observed, 2)
    with pytest.raises(NotFoundError, match="number 3"):
        undo_import(observed, 3)
    assert take(observed, "text,label\none,red\nthree,blue\n", "seed").number == 3


def test_what_was_changed_again_stays(observed: Project) -> None:
    take(observed, "text\none\ntwo\nthree\n")
    take(observed, "text,label\none,red\ntwo,grey\nthree,grey\n", "test")
    one, three = (item.id for item in observed.store.items.in_split("test") if item.text in ("one", "three"))
    move(observed, [one], "validation")
    assert undo_import(observed, 2).restored == 2
    assert state(observed) == [("one", "validation", 0), ("three", "pool", None), ("two", "pool", None)]
    observed.store.decisions.add(Decision(three, LABEL, "ann", 1, seed=True))
    assert ("three", "seed", 1) in state(observed)


def test_undoing_refuses_where_something_would_be_lost(observed: Project) -> None:
    take(observed, "id,text\nn1,one\nn2,two\n")
    [(key, _, _)] = observed.store.observations.of_item("i000")[:1]
    observed.store.observations.add(key, [Observation("n1", np.log(QUARTERS), QUARTERS, 1.0, 0.0)])
    observed.store.decisions.add(Decision("n2", LABEL, "ann", 1))
    move(observed, ["n2"], "seed")
    with pytest.raises(RefusedError, match=r"1 observations, 1 decisions, 1 item changes") as caught:
        undo_import(observed, 1)
    assert "mollia imports undo 1 --yes" in caught.value.hint
    assert len(state(observed)) == 2
    done = undo_import(observed, 1, lossy=True)
    assert (done.removed, done.rows) == (2, {"observations": 1, "decisions": 1, "item_changes": 1})
    assert state(observed) == []
    assert observed.store.verify().findings == []


def test_what_a_file_says_of_its_own_texts_is_no_loss(observed: Project) -> None:
    assert take(observed, "text,label\none,\none,red\n").labelled == 1
    done = undo_import(observed, 1)
    assert (done.removed, done.restored, done.rows, state(observed)) == (1, 0, {}, [])


def test_a_large_import_is_taken_back(observed: Project) -> None:
    take(observed, "text\n" + "\n".join(f"number {n}" for n in range(5000)) + "\n")
    assert undo_import(observed, 1).removed == 5000
    assert state(observed) == []


def test_moving_says_what_has_seen_the_items(observed: Project) -> None:
    store = observed.store
    store.items.add([Item("t1", "new", "test", 1)], "made up")
    store.runs.put("main", RunConfig(method="mollia"))
    store.runs.start_round("main", 0, [], 0.1)
    store.runs.update_round("main", 0, model="models/main/round-00", metrics={"test_micro_f1": 0.5})
    store.runs.start_round("main", 1, [("i100", 0.5, 1)], 0.1)
    store.runs.update_round("main", 1, model="models/main/round-01", metrics={"test_micro_f1": 0.5})
    done = move(observed, ["i100", "i101", "t1"], "seed")
    assert done.items == {"pool": 2, "test": 1}
    assert [(one.run, one.round) for one in done.used.trained] == [("main", 1)]
    assert done.used.measured == ("main",)
    again = move(observed, ["i100"], "seed")
    assert (again.items, again.there, again.used.trained) == ({}, 1, ())
    assert store.items.ids("seed")[-3:] == ["i100", "i101", "t1"]
    assert [entry.verb for entry in store.journal.entries()][-1] == "move"
    assert store.verify().findings == []


def test_an_item_without_a_label_is_no_seed(observed: Project) -> None:
    observed.store.items.add([Item("n1", "one"), Item("n2", "two")], "made up")
    with pytest.raises(InputError, match="1 of 2 items have no label, which validation items need, the first 'n1'"):
        move(observed, ["n1", "i100"], "validation")
    assert observed.store.items.ids("validation") == []
    observed.store.decisions.add(Decision("n1", LABEL, "ann", 2))
    move(observed, ["n1"], "validation")
    assert observed.store.items.known_labels(["n1"]) == {"n1": 2}
    move(observed, ["n2"], "test")
    with pytest.raises(NotFoundError, match="nobody"):
        move(observed, ["nobody"], "test")


def test_a_seed_that_was_moved_stays_there_when_its_label_is_taken_back(observed: Project) -> None:
    observed.store.items.add([Item("n1", "one")], "made up")
    given = observed.store.decisions.add(Decision("n1", LABEL, "ann", 2, seed=True))
    move(observed, ["n1"], "test")
    observed.store.decisions.take_back(given)
    assert state(observed) == [("one", "test", None)]


def test_groups_across_splits_come_first(observed: Project) -> None:
    take(observed, "text\nOne.\none\ntwo\nthree\n")
    take(observed, "text,label\nTwo!,red\n", "test")
    assert [[item.text for item in group] for group in near_duplicates(observed)] == [["two", "Two!"], ["One.", "one"]]


def call(project: Project, *words: str, typed: str = "") -> tuple[int, list[str], str]:
    """(status, lines on stderr, stdout)."""
    done = CliRunner().invoke(app, [*words, "-p", str(project.root)], input=typed)
    return getattr(done.exception, "exit_code", done.exit_code), done.stderr.splitlines(), done.stdout


def test_on_the_command_line(observed: Project, tmp_path: Path) -> None:
    store = observed.store
    store.runs.put("main", RunConfig(method="mollia"))
    store.runs.start_round("main", 0, [("i100", 0.5, 1)], 0.1)
    store.runs.update_round("main", 0, model="models/main/round-00", metrics={"test_micro_f1": 0.5})
    [gold] = (item.label for item in store.items.get(["i100"]))
    (tmp_path / "a.csv").write_text(f"text,label\nTEXT 0!,red\ntext 100,{observed.labels.names[gold or 0]}\nnew,red\n")
    status, lines, _ = call(observed, "import", str(tmp_path / "a.csv"), "--split", "test")
    assert status == 0
    assert lines[-4:] == [
        "moved 1 text from pool to test",
        "1 test text in the seed set too, but for case, spaces, punctuation or markup: scores on them are too good;"
        " mollia duplicates shows them",
        "the classifiers of run main, round 0, have learned from them or were chosen by them",
        "a run with another name starts without that: mollia run --run NAME",
    ]
    rows = json.loads(call(observed, "duplicates")[2])
    assert [(row["group"], row["split"], row["text"]) for row in rows] == [
        (1, "seed", "text 0"),
        (1, "test", "TEXT 0!"),
    ]
    assert call(observed, "imports", "undo", "1")[:2] == (
        0,
        [
            f"took back import 1 ({tmp_path / 'a.csv'}): 2 items removed, 1 as they were before",
            "the classifiers of run main, round 0, have learned from them or were chosen by them",
            "test scores of main were measured with them",
            "a run with another name starts without that: mollia run --run NAME",
        ],
    )
    assert call(observed, "duplicates")[1] == ["there are no near-duplicates"]
    status, lines, _ = call(observed, "move", "-", "--split", "test", typed="i101\ni102\n")
    assert (status, lines) == (0, ["moved 2 items from pool to test"])
    assert call(observed, "move", "--split", "test")[0] == 2
    assert call(observed, "move", "-", "--split", "test", typed="")[0] == 2
    assert call(observed, "move", "-", "--from-import", "1", "--split", "test")[0] == 2
    assert call(observed, "move", "--from-import", "7", "--split", "test")[0] == 3
    assert call(observed, "move", "-", "--split", "tst", typed="i101\n")[0] == 2
    (tmp_path / "b.csv").write_text("text\none\ntwo\n")
    call(observed, "import", str(tmp_path / "b.csv"))
    status, lines, _ = call(observed, "move", "--from-import", "2", "--split", "test")
    assert (status, lines) == (0, ["moved 2 items from pool to test"])
