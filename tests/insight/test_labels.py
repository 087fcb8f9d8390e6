"""mollia labels: a change reaches everything that names a label, or nothing; an edit by hand is noticed at once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.items import Item, Synthetic
from mollia_cli.domain.labels import LabelSet
from mollia_cli.insight import labels as labels_module
from mollia_cli.insight.export import labelled_rows
from mollia_cli.insight.labels import Change, change_labels, consequences, list_labels
from mollia_cli.insight.predict import choose_round, learner_of
from mollia_cli.insight.rerun import rerun
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project
from mollia_cli.store.project_files import read_settings

COLOURS = ("red", "green", "blue", "grey")


@pytest.fixture
def used(observed: Project) -> Path:
    """The observed project with verdicts, decisions of all kinds and a synthetic text; closed."""
    store = observed.store
    with store.transaction():
        store.items.add(
            [Item("v1", "grey to validate", "validation", 3), Item("t1", "grey to test", "test", 3)], "file"
        )
    aggregate(observed, "mean_logits")
    for item, label in (("i100", 3), ("i101", 3), ("i102", 0)):
        store.decisions.add(Decision(item, LABEL, "eve", label, verdict=3, confidence=0.5, seed=item == "i101"))
    store.synthetic.add([Synthetic("s1", "grey text", 3, "ada")], {"shown": []})
    store.close()
    return observed.root


def changing(root: Path) -> Project:
    return Project.open(root, changing_labels=True)


def run(project: Project, rounds: int) -> None:
    run_rounds(project, *open_run(project, rounds=rounds), rounds)


def edit(root: Path, old: str, new: str) -> None:
    path = root / "mollia.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def named_by(project: Project, name: str) -> dict[str, int]:
    """How often the rows of each table name a label."""
    db: Any = project.store._db
    columns = {"items": ["label"], "decisions": ["label", "verdict", "known"], "synthetic": ["label"]}
    columns |= {"verdicts": ["label"], "selections": ["opinion"]}
    found = {
        f"{table}.{column}": db.execute(f"SELECT count(*) FROM {table} WHERE {column} = ?", [name]).fetchone()[0]
        for table, names in columns.items()
        for column in names
    }
    within = "SELECT count(*) FROM verdicts, json_each(negatives) WHERE value = ?"
    found["verdicts.negatives"] = db.execute(within, [name]).fetchone()[0]
    return {place: count for place, count in found.items() if count}


def test_the_list_counts_what_each_label_has(used: Path) -> None:
    with Project.open(used) as project:
        rows = list_labels(project)
        seeds = project.store.items.get(project.store.items.ids("seed"))
        verdicts = sum(count for count in (row.verdicts for row in rows))
    assert [row.label for row in rows] == list(COLOURS)
    assert [row.seed for row in rows] == [sum(item.label == k for item in seeds) for k in range(4)]
    assert verdicts == 200
    assert (rows[3].decisions, rows[0].decisions, rows[1].decisions) == (2, 1, 0)
    assert rows[3].synthetic == 1


def test_a_renamed_label_is_renamed_wherever_it_stands(used: Path) -> None:
    with changing(used) as project:
        before = named_by(project, "grey")
        assert set(before) >= {"items.label", "decisions.label", "decisions.verdict", "decisions.known"}
        assert set(before) >= {"synthetic.label", "verdicts.label", "verdicts.negatives"}
        done = change_labels(project, Change("rename", "grey", "dim"))
        assert (done.deleted_runs, done.read_again) == ((), 780)  # 3 LLMs, 260 texts
        assert named_by(project, "grey") == {}
        assert named_by(project, "dim") == before
    assert read_settings(used / "mollia.toml").labels.names == ("red", "green", "blue", "dim")
    with Project.open(used) as project:
        assert project.store.verify().findings == []
        rows = list(labelled_rows(project))
        assert {row["label"] for row in rows} == {"red", "green", "blue", "dim"}
        assert len(rows) == 260


def test_merged_labels_are_one_and_the_verdicts_are_not_current(used: Path) -> None:
    with changing(used) as project:
        before, into = named_by(project, "grey"), named_by(project, "red")
        expected = consequences(project, Change("merge", "grey", "red"))
        assert expected.verdicts == 200
        change_labels(project, Change("merge", "grey", "red"))
        now = named_by(project, "red")
        for place in ("items.label", "decisions.label", "synthetic.label"):
            assert now[place] == before[place] + into.get(place, 0)
    with Project.open(used) as project:
        assert project.labels.names == ("red", "green", "blue")
        assert project.store.verify().findings == []
        assert {row["source"] for row in labelled_rows(project)} == {"gold", "human"}
        aggregate(project, "vote")  # of nothing: the observations that there are, are of four labels
        assert {row["source"] for row in labelled_rows(project)} == {"gold", "human"}


def test_after_a_merge_of_labels_people_may_agree_or_disagree(used: Path) -> None:
    with changing(used) as project:
        decisions, items = project.store.decisions, project.store.items
        for item, given in {"i110": (0, 3), "i111": (1, 1, 0, 3, 3), "i112": (1, 1, 0, 3)}.items():
            for n, label in enumerate(given):
                decisions.add(Decision(item, LABEL, f"p{n}", label, seed=True))
        assert decisions.disagreements() == ["i110", "i111"] and "i112" in items.ids("seed")
        assert {row.label: row.decisions for row in list_labels(project)} == {
            "red": 4,
            "green": 4,
            "blue": 0,
            "grey": 6,
        }
        change_labels(project, Change("merge", "grey", "red"))
    with Project.open(used) as project:
        assert project.store.decisions.disagreements() == ["i112"]
        assert [(item.split, item.label) for item in project.store.items.get(["i110", "i111"])] == [("seed", 0)] * 2
        assert "i112" in project.store.items.ids("pool")
        assert project.store.verify().findings == []


def test_a_removed_label_settles_what_people_disagree_on(used: Path) -> None:
    with changing(used) as project:
        for who, label in (("ann", 0), ("ben", 3)):
            project.store.decisions.add(Decision("i110", LABEL, who, label, seed=True))
        change_labels(project, Change("remove", "grey"))
    with Project.open(used) as project:
        assert project.store.decisions.disagreements() == []
        assert [(item.split, item.label) for item in project.store.items.get(["i110"])] == [("seed", 0)]


def test_a_label_that_people_disagree_on_is_missed_in_the_file(observed: Project) -> None:
    root = observed.root
    observed.store.close()
    edit(root, 'grey = ""', 'grey = ""\nteal = ""')
    with Project.open(root) as project:
        for who, label in (("ann", 0), ("ben", 4)):
            project.store.decisions.add(Decision("i110", LABEL, who, label))
    edit(root, 'teal = ""\n', "")
    with pytest.raises(InputError, match="label 'teal' of 1 item is no longer there"):
        Project.open(root)


def test_what_had_a_removed_label_has_none(used: Path) -> None:
    with changing(used) as project:
        had = project.store.items.profile("seed")[1]["grey"]
        change_labels(project, Change("remove", "grey"))
        left = named_by(project, "grey")
        assert set(left) <= {"decisions.label", "verdicts.label", "verdicts.negatives"}  # taken back; not current
    with Project.open(used) as project:
        assert project.store.decisions.labels() == {"i102": 0}
        assert len(project.store.items.ids("seed")) == 60 - had + 1  # one of them was a person's
        assert project.store.items.ids("validation") == []
        assert project.store.items.get(["v1", "t1"]) == [
            Item("v1", "grey to validate", "pool", None),
            Item("t1", "grey to test", "test", None),
        ]
        assert project.store.synthetic.all() == []
        assert project.store.verify().findings == []
        assert list(labelled_rows(project))


def test_an_added_label_outdates_the_verdicts(used: Path) -> None:
    with changing(used) as project:
        change_labels(project, Change("add", "teal", description="between"))
    with Project.open(used) as project:
        assert project.labels == LabelSet((*COLOURS, "teal"), ("", "", "", "", "between"))
        assert project.store.verdicts.latest_fit() is None
        assert project.store.verify().findings == []


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (Change("rename", "pink", "rose"), NotFoundError, "no label 'pink'"),
        (Change("rename", "grey", "red"), InputError, "there is a label 'red' already"),
        (Change("rename", "grey", "RED."), InputError, "read the same to an LLM"),
        (Change("merge", "grey", "pink"), NotFoundError, "no label 'pink'"),
        (Change("merge", "grey", "grey"), InputError, "into itself"),
        (Change("add", "grey"), InputError, "there is a label 'grey' already"),
        (Change("add", " "), InputError, "is empty or has spaces"),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(
    used: Path, change: Change, error: type[Exception], words: str
) -> None:
    before = (used / "mollia.toml").read_text()
    with changing(used) as project, pytest.raises(error, match=words):
        change_labels(project, change)
    assert (used / "mollia.toml").read_text() == before
    with Project.open(used) as project:
        assert len(list(labelled_rows(project))) == 260


def test_the_file_changes_with_the_rows_or_not_at_all(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    before = (used / "mollia.toml").read_text()
    with monkeypatch.context() as patch:
        patch.setattr(labels_module, "write_labels", no_room)
        with changing(used) as project, pytest.raises(OSError, match="No space"):
            change_labels(project, Change("merge", "grey", "red"))
    assert (used / "mollia.toml").read_text() == before
    with Project.open(used) as project:
        assert named_by(project, "grey")["items.label"]
        assert project.store.verdicts.latest_fit() is not None


def test_killed_after_the_file_was_written_the_same_command_settles_it(used: Path) -> None:
    """Between the file's change and the commit: as if it had been edited by hand."""
    edit(used, 'grey = ""', 'dim = ""')
    with pytest.raises(InputError, match=r"label 'grey' of .* items is no longer there"):
        Project.open(used)
    with changing(used) as project:
        change_labels(project, Change("rename", "grey", "dim"))
        assert named_by(project, "grey") == {}
    with Project.open(used) as project:
        assert len(list(labelled_rows(project))) == 260


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ('grey = ""', 'dim = ""', "label 'grey' of", "mollia labels rename 'grey' 'dim'"),
        ('grey = ""\n', "", "label 'grey' of", "mollia labels merge 'grey' LABEL, or mollia labels remove 'grey'"),
        (
            'grey = ""',
            'grey = ""\nteal = ""',
            "label 'teal' is new, and 200 verdicts do not",
            "mollia labels add 'teal'",
        ),
        ('red = ""\ngreen = ""', 'green = ""\nred = ""', "in another order", "red, green, blue, grey"),
    ],
)
def test_an_edit_by_hand_is_noticed_by_every_opening(used: Path, old: str, new: str, message: str, hint: str) -> None:
    edit(used, old, new)
    with pytest.raises(InputError, match=message) as caught:
        Project.open(used)
    assert hint in caught.value.hint
    assert "mollia.toml" in caught.value.message
    for command in (["status"], ["sql", "SELECT 1"], ["labels", "list"], ["export", "labels"], ["import", "x.csv"]):
        done = CliRunner().invoke(app, [*command, "-p", str(used)])
        assert isinstance(done.exception, InputError), command


def test_edits_by_hand_are_settled_one_after_the_other(used: Path) -> None:
    edit(used, 'blue = ""\ngrey = ""', 'sea = ""\ndim = ""')
    with changing(used) as project:
        change_labels(project, Change("rename", "blue", "sea"))
    with pytest.raises(InputError, match="'grey'"):
        Project.open(used)
    with changing(used) as project:
        change_labels(project, Change("rename", "grey", "dim"))
    with Project.open(used) as project:
        assert project.labels.names == ("red", "green", "sea", "dim")


def test_labels_and_descriptions_that_nothing_depends_on_may_be_edited(observed: Project) -> None:
    root = observed.root
    observed.store.close()
    edit(root, 'grey = ""', 'grey = "no colour"\nteal = ""')
    with Project.open(root) as project:
        assert project.labels.names == (*COLOURS, "teal")
        assert project.store.label_sets.current() == project.labels
        assert project.store.verify().findings == []


def test_a_rename_keeps_runs_and_their_classifiers(make_project: Callable[..., Project]) -> None:
    project = make_project()
    run(project, rounds=1)
    root, old = project.root, project.labels.names[0]
    texts = [item.text for item in project.store.items.in_split("test")]
    before = learner_of(project, choose_round(project)).predict_proba(texts)
    project.store.close()
    with changing(root) as project:
        expected = consequences(project, Change("rename", old, "other name"))
        assert expected.read_again > 0
        change_labels(project, Change("rename", old, "other name"))
    with Project.open(root) as project:
        learner: Any = learner_of(project, choose_round(project))
        assert learner.labels.names[0] == "other name"
        assert np.array_equal(learner.predict_proba(texts), before)
        with pytest.raises(RefusedError, match="was made with the labels"):
            rerun(project, "main")
        run(project, rounds=2)  # the LLM reads again


def test_what_was_killed_halfway_is_noticed_and_settled_by_the_same_command(
    make_project: Callable[..., Project], tiny_learner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: Any) -> None:
        raise KeyboardInterrupt

    project = make_project()
    run(project, rounds=0)
    root, old = project.root, project.labels.names[0]
    project.store.close()
    change = Change("rename", old, "other name")
    with monkeypatch.context() as patch:
        patch.setattr(tiny_learner, "rename", kill)
        with changing(root) as project, pytest.raises(KeyboardInterrupt):
            change_labels(project, change)
    with pytest.raises(InputError, match="is no longer there") as caught:
        Project.open(root)
    assert f"mollia labels rename {old!r} 'other name'" in caught.value.hint
    with changing(root) as project:
        change_labels(project, change)
    with Project.open(root) as project:
        assert named_by(project, old) == {}
        learner: Any = learner_of(project, choose_round(project))
        assert learner.labels.names[0] == "other name"


def test_other_changes_delete_the_runs(make_project: Callable[..., Project]) -> None:
    project = make_project()
    run(project, rounds=1)
    root, names = project.root, project.labels.names
    project.store.close()
    with changing(root) as project:
        assert change_labels(project, Change("merge", names[0], names[1])).deleted_runs == ("main",)
    with Project.open(root) as project:
        assert project.store.runs.names() == []
        assert not (root / "models" / "main").exists()
        assert project.store.verify().findings == []
        run(project, rounds=1)


def test_the_command_says_what_is_touched_and_asks(used: Path) -> None:
    runner = CliRunner()
    refused = runner.invoke(app, ["labels", "merge", "grey", "red", "-p", str(used)])
    assert isinstance(refused.exception, RefusedError)  # nobody can be asked
    assert "no longer current: 200 verdicts" in refused.stderr
    done = runner.invoke(app, ["labels", "merge", "grey", "red", "-p", str(used), "--yes", "--json"])
    assert done.exception is None, done.output
    assert "'grey' becomes 'red'" in done.stderr
    assert "no longer current: 200 verdicts" in done.stderr
    assert json.loads(done.stdout)["labels"] == ["red", "green", "blue"]
    listed = runner.invoke(app, ["labels", "list", "-p", str(used)])
    assert [row["label"] for row in json.loads(listed.stdout)] == ["red", "green", "blue"]
