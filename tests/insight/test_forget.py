"""Forgetting: no file of the project holds the text any more, and what still does is named."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mollia_cli.cli import common
from mollia_cli.cli.main import app
from mollia_cli.domain.decisions import NOTE, Decision
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.items import Item, Synthetic
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.settings import RunConfig
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.insight.forget import consequences, forget
from mollia_cli.learners.embeddings import EmbeddingStore
from mollia_cli.project.context import Project
from mollia_cli.project.learner import EMBEDDINGS

CANARY = "Zephyrine Quillfeather"
TEXT = f'{CANARY} said: "it <hurts>" — again'
QUARTERS = np.full(4, 0.25)


def seen(item_id: str) -> Observation:
    return Observation(item_id, np.log(QUARTERS), QUARTERS, 1.0, 0.0, answers=(f"{CANARY}?",), tokens=9)


@pytest.fixture(params=["pool", "seed"])
def told(observed: Project, request: pytest.FixtureRequest) -> Project:
    """A project with an item of which there is a row in every table, and other items with the same."""
    store, long = observed.store, "word " * 3000
    with store.transaction():
        store.items.add([Item("secret-1", TEXT + long, request.param, 1), Item("other-1", f"plain {long}")], "in.csv")
    [(key, _, _)] = store.observations.of_item("i000")[:1]
    store.observations.add(key, [seen("secret-1"), Observation("other-1", np.log(QUARTERS), QUARTERS, 1.0, 0.0)])
    fit = store.verdicts.add_fit("digest", "vote", [key], (1, 2), {})
    ids = ("secret-1", "other-1")
    store.verdicts.add(fit.id, Verdicts(ids, np.ones(2, dtype=int), np.tile(QUARTERS, (2, 1)), np.zeros((2, 4), bool)))
    store.runs.put("main", RunConfig(method="mollia"))
    store.runs.start_round("main", 0, [("other-1", 0.5, 1)], 0.1)
    store.runs.update_round("main", 0, model="models/main/round-00", metrics={})
    store.runs.start_round("main", 1, [("secret-1", 0.5, 1)], 0.1)
    store.runs.update_round("main", 1, model="models/main/round-01", metrics={})
    store.runs.add_opinions("main", 0, {"secret-1": QUARTERS, "other-1": QUARTERS})
    store.decisions.add(Decision("secret-1", NOTE, "ann", note=f"{CANARY} is known to me"))
    store.synthetic.add([Synthetic("s1", f"{CANARY} wrote", 1, "llm")], {"shown": ["secret-1", "i000"]})
    store.synthetic.add([Synthetic("s2", "nobody wrote", 1, "llm")], {"shown": ["i001"]})
    (observed.root / "tokens.safetensors").write_bytes(CANARY.encode())
    return observed


def holding(project: Project) -> set[str]:
    """The files in which one of the canary's words stands."""
    found = (path for path in project.root.rglob("*") if path.is_file())
    words = [word.encode() for word in (*CANARY.split(), "secret-1")]
    return {path.name for path in found if any(word in path.read_bytes() for word in words)}


def test_no_file_holds_the_text(told: Project) -> None:
    assert holding(told) & {"mollia.db", "mollia.db-wal"}
    assert "tokens.safetensors" in holding(told)
    done = forget(told, ["secret-1"])
    assert holding(told) == set()
    assert done.wiped
    assert done.left == ()
    assert done.files == ("tokens.safetensors",)
    assert Path(f"{told.store.path}-wal").stat().st_size == 0


def test_what_encoders_made_of_it_goes(told: Project) -> None:
    text, other = (told.store.items.get([item_id])[0].text for item_id in ("secret-1", "other-1"))
    kept = EmbeddingStore(told.root / EMBEDDINGS / "encoder")
    for one in (text, other):
        kept.get([one], lambda texts: np.zeros((len(texts), 2), dtype=np.float32))
    done = forget(told, ["secret-1"])
    assert kept.missing([text, other]) == [text]
    assert done.files == ("embeddings/encoder/keys", "tokens.safetensors")
    assert not (told.root / "tokens.safetensors").exists()


def test_what_was_made_of_others_stays(told: Project) -> None:
    forget(told, ["secret-1"])
    with pytest.raises(NotFoundError, match="secret-1"):
        told.store.items.get(["secret-1"])
    assert len(told.store.observations.of_item("other-1")) == 1
    assert [s.item_id for s in told.store.runs.selections("main")] == ["other-1"]
    assert [text.id for text in told.store.synthetic.all()] == ["s2"]


def test_the_journal_holds_and_says_that_something_was_forgotten(told: Project) -> None:
    rows = consequences(told, ["secret-1"]).rows
    assert rows.keys() >= {"items", "observations", "verdicts", "selections", "opinions", "decisions", "synthetic"}
    head = told.store.journal.head()
    forget(told, ["secret-1"])
    found = told.store.verify(head)
    assert found.findings == []
    assert found.since == 1
    [*_, last] = told.store.journal.entries()
    assert (last.verb, last.count) == ("forget", sum(rows.values()))
    assert {key for _, key, _, _ in last.changes} == {()}


def test_a_row_that_is_taken_out_as_if_it_had_been_forgotten_is_found(told: Project) -> None:
    forget(told, ["secret-1"])
    with sqlite3.connect(told.store.path) as other:
        other.execute("PRAGMA foreign_keys = OFF")
        other.execute("DELETE FROM items WHERE id = 'other-1'")
    other.close()
    told.store.journal.blank([("items", ("other-1",))])
    assert [finding.what for finding in told.store.verify().findings] == ["broken"]


def test_what_cannot_be_removed_is_named(told: Project) -> None:
    is_seed = bool(told.store.items.get(["secret-1"])[0].split == "seed")
    text = told.store.items.get(["secret-1"])[0].text
    (told.root / "report.html").write_text(text.replace("<", "&lt;").replace(">", "&gt;"), encoding="utf-8")
    (told.root / "ids.txt").write_text("other-1\nsecret-1\n")
    (told.root / "other.txt").write_text("other-1\n")
    (told.root / "mollia.db.before").write_bytes(b"a backup")
    done = forget(told, ["secret-1"])
    assert done.left == ("ids.txt", "mollia.db.before", "report.html")
    assert [one.round for one in done.trained] == ([0, 1] if is_seed else [1])
    assert done.sources == ("in.csv",)


def test_a_run_that_learns_from_every_verdict_has_seen_it_where_its_fit_has_one(told: Project) -> None:
    """Round 0 has no verdict, and round 2 those of another fit; in none of them was the item selected."""
    store = told.store
    first = store.verdicts.latest_fit()
    assert first is not None
    other = store.verdicts.add_fit("another", "vote", first.panel, (1, 2), {})
    one, no = np.ones(1, dtype=int), np.zeros((1, 4), bool)
    store.verdicts.add(other.id, Verdicts(("other-1",), one, QUARTERS[None], no))
    store.runs.put("d", RunConfig(method="distil"))
    for number, fit in enumerate((None, first.id, other.id, first.id)):
        store.runs.start_round("d", number, [], 0.1)
        store.runs.update_round("d", number, fit=fit, model=f"models/d/round-0{number}", metrics={})
    told.store.runs.put("m", RunConfig(method="mollia"))  # learns from what was selected alone
    store.runs.start_round("m", 0, [], 0.1)
    store.runs.update_round("m", 0, fit=first.id, model="models/m/round-00", metrics={})
    trained = consequences(told, ["secret-1"]).trained
    everywhere = store.items.get(["secret-1"])[0].split == "seed"
    assert [row.round for row in trained if row.run == "d"] == ([0, 1, 2, 3] if everywhere else [1, 3])
    assert [row.round for row in trained if row.run == "m"] == ([0] if everywhere else [])
    lines = CliRunner().invoke(app, ["forget", "secret-1", "--yes", "-p", str(told.root)]).stderr.splitlines()
    said = "not removed: what the classifiers of run d, rounds {}, have learned from them; make another run, then:"
    assert f"{said.format('0 to 3' if everywhere else '1, 3')} mollia runs delete d" in lines


def test_another_process_that_reads_is_said(told: Project) -> None:
    other = sqlite3.connect(told.store.path)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM items").fetchone()
    told.store._db.execute("PRAGMA busy_timeout = 100")
    assert not forget(told, ["secret-1"]).wiped
    other.close()


@pytest.mark.parametrize(
    ("arguments", "typed", "status", "gone"),
    [
        (["secret-1"], "no\n", 4, False),
        (["secret-1"], "yes\n", 0, True),
        (["secret-1", "--yes", "--json"], "", 0, True),
        (["-"], "secret-1\n", 2, False),
        (["-", "--yes"], '{"id": "secret-1"}\n', 0, True),
        (["secret-1", "nobody", "--yes"], "", 3, False),
    ],
)
def test_on_the_command_line(
    told: Project, monkeypatch: pytest.MonkeyPatch, arguments: list[str], typed: str, status: int, gone: bool
) -> None:
    monkeypatch.setattr(common, "somebody_answers", lambda: True)
    result = CliRunner().invoke(app, ["forget", *arguments, "-p", str(told.root)], input=typed)
    error = result.exception
    assert getattr(error, "exit_code", result.exit_code) == status
    stored = {item_id for split in ("pool", "seed") for item_id in told.store.items.ids(split)}
    assert ("secret-1" not in stored) == gone
