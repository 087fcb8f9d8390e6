"""Import: what is taken, what is not, and that nothing is taken twice. No model is needed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mollia_cli.domain.decisions import IGNORE, LABEL, Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.ingest import ImportReport, ingest

Write = Callable[[str, str], Path]


@pytest.fixture
def project(tmp_path: Path, labels: LabelSet) -> Iterator[Project]:
    create(tmp_path / "p", new_settings(labels, encoder="all-minilm-l6-v2"))
    with Project.open(tmp_path / "p") as opened:
        yield opened


def take(project: Project, path: Path, split: str = "pool", strict: bool = False) -> ImportReport:
    return ingest(project, path, split, name=path.name, strict=strict)


def test_a_second_import_changes_nothing(project: Project, write: Write) -> None:
    path = write("a.csv", "text,label\none,billing\ntwo,results\n")
    assert take(project, path, "seed").added == 2
    before = project.store.items.in_split("seed")
    again = take(project, path, "seed")
    assert (again.added, again.duplicates, again.problems) == (0, 2, [])
    assert project.store.items.in_split("seed") == before
    assert again.number is None
    assert [one.number for one in project.store.imports.all()] == [1]


def test_labels_attach_to_the_texts_that_are_there_which_move(project: Project, write: Write) -> None:
    take(project, write("pool.txt", "one\ntwo\nthree\n"))
    report = take(project, write("a.csv", "text,label\none,billing\nthree,results\nfour,results\n"), "seed")
    assert (report.added, report.labelled, len(report.moved), report.duplicates) == (1, 2, 2, 0)
    seed = [(item.text, project.labels.names[item.label or 0]) for item in project.store.items.in_split("seed")]
    assert sorted(seed) == [("four", "results"), ("one", "billing"), ("three", "results")]
    assert [item.text for item in project.store.items.in_split("pool")] == ["two"]
    assert project.store.verify().findings == []
    assert [entry.verb for entry in project.store.journal.entries()][1:] == ["import"] * 5


def test_a_label_of_the_pool_is_kept_beside_the_item(project: Project, write: Write) -> None:
    take(project, write("pool.txt", "one\n"))
    report = take(project, write("a.csv", "text,label\none,billing\n"))
    assert (report.labelled, report.moved) == (1, [])
    assert project.store.items.in_split("pool")[0].label == 0


def test_an_item_leaves_no_other_split_than_the_pool(project: Project, write: Write) -> None:
    take(project, write("test.csv", "text,label\none,billing\ntwo,\n"), "test")
    report = take(project, write("seed.csv", "text,label\none,billing\ntwo,results\n"), "seed")
    assert (report.labelled, report.moved, report.stayed) == (1, [], {"test": 1})
    assert project.store.items.counts() == {"test": {"items": 2, "labelled": 2}}
    assert take(project, write("pool.txt", "one\n")).stayed == {"test": 1}


def test_a_text_without_a_label_moves_into_the_test_split(project: Project, write: Write) -> None:
    take(project, write("pool.txt", "one\ntwo\n"))
    assert len(take(project, write("test.txt", "two\n"), "test").moved) == 1
    assert [item.text for item in project.store.items.in_split("test")] == ["two"]


def test_a_row_that_contradicts_a_person_changes_nothing(project: Project, write: Write) -> None:
    take(project, write("pool.txt", "one\ntwo\n"))
    one, two = project.store.items.ids("pool")
    for item_id in (one, two):
        project.store.decisions.add(Decision(item_id, LABEL, "ann", 1))
    report = take(project, write("a.csv", "text,label\none,billing\ntwo,results\n"), "seed")
    [problem] = report.problems
    assert (problem.line, problem.message) == (
        2,
        f"the text is item {one} in pool, labelled 'results', here 'billing'; it is left as it is",
    )
    assert report.moved == [two]
    assert project.store.items.ids("pool") == [one]


def test_a_file_that_contradicts_itself_is_named(project: Project, write: Write) -> None:
    report = take(project, write("a.csv", "text,label\none,billing\none,results\ntwo,\ntwo,results\n"))
    assert [(p.line, "that of line 2, labelled 'billing', here 'results'" in p.message) for p in report.problems] == [
        (3, True)
    ]
    assert (report.added, report.labelled) == (2, 1)
    assert sorted(project.store.items.known_labels(project.store.items.ids("pool")).values()) == [0, 1]


def test_near_duplicates_across_splits_are_counted(project: Project, write: Write) -> None:
    test = "text,label\nWhere is it?,billing\n<b>Where</b> &amp; when,results\nno other,billing\n"
    assert take(project, write("test.csv", test), "test").near == []
    take(project, write("seed.csv", "text,label\nNo other!,billing\n"), "seed")
    near = take(project, write("pool.txt", "where  is it\nWHERE is it!\nwhere & when\nother\n")).near
    assert near == [("test", "seed", 1), ("test", "pool", 2)]
    for item in project.store.items.in_split("pool"):
        project.store.decisions.add(Decision(item.id, IGNORE, "ann"))
    assert take(project, write("more.txt", "more\n")).near == [("test", "seed", 1)]


def test_the_same_text_is_one_item_in_whatever_split(project: Project, write: Write) -> None:
    take(project, write("test.csv", "text,label\none,billing\n"), "test")
    report = take(project, write("pool.txt", "one\ntwo\ntwo\n"))
    assert (report.added, report.duplicates) == (1, 2)
    assert project.store.items.ids("pool") and not project.store.items.counts()["pool"]["labelled"]


def test_an_unknown_label_is_a_problem_with_its_line(project: Project, write: Write) -> None:
    report = take(project, write("a.csv", "text,label\none,billing\ntwo,biling\n"), "seed")
    assert report.added == 1
    assert [(p.line, "did you mean 'billing'" in p.message) for p in report.problems] == [(3, True)]


def test_a_seed_row_without_a_label_is_a_problem(project: Project, write: Write) -> None:
    report = take(project, write("a.csv", "text,label\none,\n"), "seed")
    assert "no label" in report.problems[0].message


def test_own_ids_are_kept_and_must_not_change_their_text(project: Project, write: Write) -> None:
    take(project, write("a.csv", "id,text\nx1,one\n"))
    assert project.store.items.ids("pool") == ["x1"]
    report = take(project, write("b.csv", "id,text\nx1,other\nx2,two\nx2,three\n"))
    assert report.added == 1
    assert [p.line for p in report.problems] == [2, 4]


def test_a_contradicting_label_is_a_problem(project: Project, write: Write) -> None:
    take(project, write("a.csv", "text,label\none,billing\n"), "seed")
    report = take(project, write("b.csv", "text,label\none,results\n"), "test")
    assert "labelled 'billing', here 'results'" in report.problems[0].message


def test_strict_is_all_or_nothing(project: Project, write: Write) -> None:
    path = write("a.csv", "text,label\none,billing\ntwo,nope\n")
    with pytest.raises(InputError, match="line 3"):
        take(project, path, "seed", strict=True)
    assert project.store.items.counts() == {}


def test_a_failure_half_way_imports_nothing(project: Project, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("a.txt", "\n".join(f"text {n}" for n in range(5000)))
    add = project.store.items.add
    calls = []

    def fail_at_the_second(items: object, source: str, number: int) -> int:
        calls.append(source)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return add(items, source, number)  # type: ignore[arg-type]

    monkeypatch.setattr(project.store.items, "add", fail_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        take(project, path)
    assert project.store.items.counts() == {}
