"""Import: what is taken, what is not, and that nothing is taken twice. No model is needed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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

    def fail_at_the_second(items: object, source: str) -> int:
        calls.append(source)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return add(items, source)  # type: ignore[arg-type]

    monkeypatch.setattr(project.store.items, "add", fail_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        take(project, path)
    assert project.store.items.counts() == {}
