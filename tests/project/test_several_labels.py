"""What is imported where a text may have several labels: other columns, texts that are there, and mollia.toml."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mollia_cli.cli.aggregate import _by_applying
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.insight.export import export_labels
from mollia_cli.loop.multilabel import check_chosen
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.ingest import ingest
from mollia_cli.store.project_files import read_settings

POOL = "id,text,date\np1,one,May\np2,two,June\np3,three,June\n"
SEED = "id,text,labels,date,probabilities\ns1,four,billing;praise,May,x\ns2,five,[],June,\np4,one,praise,,\n"


@pytest.fixture
def several(tmp_path: Path) -> Iterator[Project]:
    """Three pool items, of which the second import labels one and makes it a seed, and two seeds."""
    labels = LabelSet(("billing", "delivery", "praise"))
    create(tmp_path / "p", new_settings(labels, encoder="all-minilm-l6-v2", multilabel=True))
    with Project.open_any(tmp_path / "p") as project:
        take(project, tmp_path, POOL, "pool")
        take(project, tmp_path, SEED, "seed")
        yield project


def take(project: Project, folder: Path, text: str, split: str) -> Any:
    source = folder / f"{split}.csv"
    source.write_text(text)
    return ingest(project, source, split, name=source.name)


def typed(project: Project, *words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "-p", str(project.root)])
    assert done.exit_code == 0, (words, done.exception, done.output)
    return json.loads(done.stdout)


def rows(project: Project, folder: Path, **only: Any) -> list[dict[str, Any]]:
    export_labels(project, folder / "out.jsonl", **only)
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def test_labels_attach_to_a_text_that_is_there_and_are_taken_back_with_the_import(several: Project) -> None:
    (item,) = [item for item in several.store.items.in_split("seed") if item.text == "one"]
    assert (item.id, item.labels, item.fields) == ("p1", (2,), {"date": "May"})
    listed = typed(several, "imports", "list", "--json")
    assert [(one["added"], one["changed"]) for one in listed] == [(3, 0), (2, 1)]
    typed(several, "imports", "undo", "2", "--json")
    assert {i.id: i.labels for i in several.store.items.in_split("pool")} == {"p1": None, "p2": None, "p3": None}
    assert several.store.verify().findings == []


def test_other_columns_come_out_again_and_select(several: Project, tmp_path: Path) -> None:
    by_id = {row["id"]: row for row in rows(several, tmp_path)}
    assert by_id["s1"]["labels"] == ["billing", "praise"]
    assert (by_id["s1"]["probabilities"]["praise"], by_id["s1"]["imported_probabilities"]) == (1.0, "x")
    assert (by_id["p1"]["labels"], by_id["p1"]["date"]) == (["praise"], "May")
    assert {row["id"] for row in rows(several, tmp_path, conditions=["date=May"])} == {"s1", "p1"}
    assert len(rows(several, tmp_path, least=1.0)) == 3


def test_moving_needs_known_labels_and_keeps_them(several: Project, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("s1\n")
    assert typed(several, "move", str(tmp_path / "ids.txt"), "--split", "validation", "--json")["items"] == {"seed": 1}
    (moved,) = several.store.items.in_split("validation")
    assert moved.labels == (0, 2)
    (tmp_path / "ids.txt").write_text("p2\n")
    done = CliRunner().invoke(app, ["move", str(tmp_path / "ids.txt"), "--split", "seed", "-p", str(several.root)])
    assert "have no label" in str(done.exception)


def test_lists_know_of_several_labels(several: Project, tmp_path: Path) -> None:
    take(several, tmp_path, "text,labels\nFOUR!,delivery\n", "test")
    (first, second) = typed(several, "duplicates", "--json")
    assert (first["label"], second["label"]) == (["billing", "praise"], ["delivery"])
    counts = {row["label"]: (row["seed"], row["test"]) for row in typed(several, "labels", "list", "--json")}
    assert counts == {"billing": (1, 0), "delivery": (0, 1), "praise": (2, 0)}
    assert typed(several, "config", "multilabel", "--json")[0]["value"] is True


def test_the_choice_of_one_or_several_labels_cannot_be_changed_afterwards(several: Project) -> None:
    path = several.root / "mollia.toml"
    path.write_text(path.read_text().replace("multilabel = true", "multilabel = false"))
    with pytest.raises(InputError, match="multilabel = false, and the items were imported with several labels each"):
        Project.open_any(several.root)


def test_one_label_each_cannot_become_several(make_project: Any) -> None:
    root = make_project().root
    path = root / "mollia.toml"
    path.write_text(path.read_text().replace("multilabel = false", "multilabel = true"))
    with pytest.raises(InputError, match="multilabel = true, and the items were imported with one label each"):
        Project.open_any(root)


def test_a_label_that_items_have_cannot_go_from_the_settings(several: Project) -> None:
    path = several.root / "mollia.toml"
    path.write_text(path.read_text().replace("praise = ", "thanks = "))
    with pytest.raises(InputError, match="label 'praise' of 2 items is no longer there") as caught:
        Project.open_any(several.root)
    assert "docs/multilabel.md" in caught.value.hint


def test_what_the_seeds_cannot_choose_yet_is_not_left_to_them(several: Project, tmp_path: Path) -> None:
    settings = read_settings(several.root / "mollia.toml").annotate
    assert (settings.shots, settings.guidelines) == (0, False)
    (several.root / "guidelines.md").write_text("Be kind.")
    several.use_annotation(guidelines="auto")
    with pytest.raises(RefusedError, match=r"nothing chooses annotate\.guidelines on the seeds .* several labels yet"):
        check_chosen(several)


def test_a_terminal_shows_to_how_many_texts_each_label_applies(capsys: pytest.CaptureFixture[str]) -> None:
    _by_applying(
        [
            {"labels": ["a", "b"], "probabilities": {"a": 0.9, "b": 0.7, "c": 0.1}},
            {"labels": ["a"], "probabilities": {"a": 0.7, "b": 0.2, "c": 0.1}},
            {"labels": [], "probabilities": {"a": 0.2, "b": 0.2, "c": 0.1}},
        ]
    )
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["a", "2", "66.7%", "0.800"] in lines
    assert ["b", "1", "33.3%", "0.700"] in lines
    assert any(line[:3] == ["c", "0", "0.0%"] for line in lines)
    assert any(line[:3] == ["(none)", "1", "33.3%"] for line in lines)
