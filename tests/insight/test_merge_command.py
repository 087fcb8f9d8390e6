"""``mollia merge`` by command and in Python: folders, the project's own database, remarks, JSON."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from doubles import FakeLLM, fake_file, heard, of_llms
from typer.testing import CliRunner

from mollia_cli import Project as Api
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.insight.merge import merge
from mollia_cli.project import observe as work
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.ingest import ingest
from mollia_cli.project.parts import Part
from mollia_cli.project.questions import by_question


def run(*arguments: str) -> tuple[str, str]:
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "400"})  # tmp_path may be long
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


@pytest.fixture
def parts(make_project: Callable[..., Project], fake_llm: type[FakeLLM]) -> tuple[Project, list[Path]]:
    """A project, and three copies of it that have each read a part of the pool."""
    home = make_project()
    home.store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copies = [home.root.parent / f"part-{number}" for number in (1, 2, 3)]
    for number, copy in enumerate(copies, 1):
        shutil.copytree(home.root, copy)
        run("annotate", "--split", "pool", "--part", f"{number}/3", "-p", str(copy))
    fake_llm.asked.clear()
    return home, copies


def test_what_parts_have_read_is_read_at_home(parts: tuple[Project, list[Path]], fake_llm: type[FakeLLM]) -> None:
    home, copies = parts
    out, said = run("merge", *map(str, copies), "-p", str(home.root))
    assert re.findall(r"fake-llm +(\d+) +0 +0", out) == ["16", "16", "8"]
    assert said == "40 new observations added from 3 files\n"
    ids = home.store.items.ids("pool")
    work.annotate(home, ids)
    assert fake_llm.asked == []
    assert not home.store.verify().findings
    work.annotate(home, home.store.items.ids("seed"))
    assert len(fake_llm.asked) == 18


def test_a_look_and_json(parts: tuple[Project, list[Path]]) -> None:
    home, copies = parts
    out, said = run("merge", str(copies[0] / "mollia.db"), str(home.root), "--dry-run", "--json", "-p", str(home.root))
    found = json.loads(out)
    assert (found["dry_run"], found["new"]) == (True, 16)
    [file] = found["files"]
    assert file["file"] == str(copies[0] / "mollia.db") and len(file["digest"]) == 64
    [annotator] = file["annotators"]
    assert (annotator["new"], annotator["there"], annotator["different"]) == (16, 0, 0)
    assert annotator["identity"]["annotator"] == "fake"
    assert (
        "own database: there is nothing to merge" in said and "16 new observations would be added from 1 file" in said
    )
    assert home.store.observations.count() == 0


def test_what_differs_and_what_is_not_used_is_said(
    parts: tuple[Project, list[Path]], monkeypatch: pytest.MonkeyPatch, fake_llm: type[FakeLLM]
) -> None:
    home, copies = parts
    said = heard(home)
    with Project.open(copies[0]) as other:
        (key,) = [row["key"] for row in other.store.observations.summary()]
        other.store._db.execute("UPDATE observations SET mass = 0.5 WHERE item = (SELECT min(item) FROM observations)")
        first = other.store._db.execute("SELECT min(item) FROM observations WHERE annotator = ?", [key]).fetchone()[0]
    work.annotate(home, [first])
    [done] = merge(home, [copies[0]])
    assert [(one.new, one.there, one.different) for one in done.annotators] == [(15, 0, 1)]
    assert said[-1] == f"fake-llm: 1 observation here with other numbers, which have stayed, the first of {first!r}"
    identity = fake_llm.identity.fget
    assert identity is not None
    monkeypatch.setattr(fake_llm, "identity", property(lambda self: {**identity(self), "system": "another"}))
    merge(home, copies[1:])
    assert said[-1] == "fake-llm: what it has observed is kept and not used, as its system there are not those of here"


def test_in_python(parts: tuple[Project, list[Path]]) -> None:
    home, copies = parts
    with Api.open(home.root) as project:
        looked = project.merge(copies[0], str(copies[1]), dry_run=True)
        assert project.merge(copies[0], str(copies[1])) == looked
        assert sum(one.new for file in looked for one in file.annotators) == 32
        assert project.merge() == []


def test_mistakes(parts: tuple[Project, list[Path]], tmp_path: Path) -> None:
    home, copies = parts
    with pytest.raises(NotFoundError, match=r"mollia\.db"):
        merge(home, [tmp_path])
    with pytest.raises(InputError, match="is an address"):
        merge(home, ["https://example.org/mollia.db"])
    (link := tmp_path / "own.db").symlink_to(home.store.path)
    with pytest.raises(RefusedError, match="a link"):
        merge(home, [copies[0], link])
    assert home.store.observations.count() == 0


def test_what_was_asked_of_each_label_comes_home(tmp_path: Path, fake_llm: type[FakeLLM]) -> None:
    labels, llm = LabelSet(("billing", "delivery", "praise")), str(fake_file(tmp_path, "fake-llm"))
    settings = new_settings(labels, panel=[llm], encoder="all-minilm-l6-v2", multilabel=True)
    create(tmp_path / "home", of_llms(replace(settings, annotate=replace(settings.annotate, shots=0))))
    (tmp_path / "pool.txt").write_text("\n".join(f"text number {n}" for n in range(20)))
    with Project.open_any(tmp_path / "home") as home:
        ingest(home, tmp_path / "pool.txt", "pool", name="pool.txt")
    for number in (1, 2):
        shutil.copytree(tmp_path / "home", tmp_path / f"part-{number}")
        with Project.open_any(tmp_path / f"part-{number}") as copy:
            for seen in by_question(copy):
                work.annotate(seen, copy.store.items.ids("pool"), part=Part(number, 2))
    out, said = run("merge", str(tmp_path / "part-1"), str(tmp_path / "part-2"), "-p", str(tmp_path / "home"))
    assert re.findall(r"fake-llm +(\d+) +0 +0", out) == ["12"] * 3 + ["8"] * 3
    assert said == "60 new observations added from 2 files\n"
