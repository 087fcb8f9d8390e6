"""Reproducibility: the same project made twice is the same, and a run's record suffices to repeat it."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from mollia_cli.domain.digest import digest_file
from mollia_cli.domain.errors import NotFoundError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.insight.explain import explain
from mollia_cli.insight.rerun import rerun
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project
from mollia_cli.project.observe import annotate
from mollia_cli.store.project_files import read_settings

NOT_COMPARED = ("at", "seconds", "memory", "record", "settings", "identity", "source")


def one_thread(project: Project) -> Project:
    path = project.root / "mollia.toml"
    text = path.read_text()
    for old, new in (("threads = 0", "threads = 1"), ("epochs = 2", "epochs = 1")):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    project.settings = read_settings(path)
    return project


def run_main(project: Project, replay: Path, **changes: Any) -> None:
    options = {"rounds": 1, "strategy": "coreset", "aggregator": "conditional_logit", "replay": replay}
    run_rounds(project, *open_run(project, "main", **options, **changes), until=1)


def tables(project: Project) -> dict[str, list[tuple[Any, ...]]]:
    """Every row, times left out."""
    found = {}
    with sqlite3.connect(project.store.path) as db:
        for table in ("items", "observations", "fits", "verdicts", "rounds", "selections"):
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            kept = [n for n in names if not n.endswith("_at") and n not in NOT_COMPARED]
            found[table] = sorted(db.execute(f"SELECT {', '.join(kept)} FROM {table}").fetchall(), key=repr)
    db.close()
    return found


@pytest.mark.proof
def test_the_same_project_made_twice_is_the_same(
    make_real_project: Callable[..., Project], stored_outputs: Callable[[Project], Path]
) -> None:
    one, two = (one_thread(make_real_project(name)) for name in ("one", "two"))
    replay = stored_outputs(one)
    for project in (one, two):
        run_main(project, replay)
    first, second = tables(one), tables(two)
    assert len(first["selections"]) == 5
    for table, rows in first.items():
        assert rows == second[table], table
    weights = [digest_file(p.root / "models/main/round-01/model.safetensors") for p in (one, two)]
    assert weights[0] == weights[1]

    # the record is all that is looked at: what the settings are now changes nothing
    settings = one.root / "mollia.toml"
    settings.write_text(settings.read_text().replace("epochs = 1", "epochs = 3").replace("seed = 0", "seed = 5"))
    with sqlite3.connect(one.store.path) as db:
        db.execute("UPDATE rounds SET metrics = json_set(metrics, '$.test_micro_f1', 0.99) WHERE round = 1")
        db.execute("UPDATE verdicts SET label = 'billing', confidence = 0.4 WHERE label <> 'billing'")
    db.close()
    with Project.open(one.root) as again:
        found = rerun(again, "main")
        assert (found.rounds, found.compared, found.threads, found.remarks) == (2, 2, 1, ())
        # all but what was forged comes out the same, the weights' bits too
        assert {d.what for d in found.differences} == {"verdicts", "confidences", "test_micro_f1"}
        assert not found.same
        assert not list(one.root.glob(".rerun*"))
        assert {(f.table, f.what) for f in again.store.verify().findings} == {
            ("rounds", "altered"),
            ("verdicts", "altered"),
        }

        # why an item is what it is
        item_id = again.store.runs.selections("main", 1)[0].item_id
        found = explain(again, item_id)
        assert [one.annotator for one in found.observations] == ["a", "b"]
        assert found.selections[0]["round"] == 1
        assert found.selections[0]["strategy"] == "coreset"
        assert found.verdicts[0]["rounds"] == [{"run": "main", "round": 1}]
        assert found.classifier is not None and found.classifier.label in again.labels.names
        assert {row["table"] for row in found.journal} == {"items", "observations", "verdicts", "selections"}
        assert all(one.at for one in found.observations)
        assert all(row["at"] for row in (*found.verdicts, *found.selections))
        json.dumps(asdict(found))


def test_a_run_that_is_not_there_is_named(observed: Project) -> None:
    with pytest.raises(NotFoundError, match="'other'"):
        rerun(observed, "other")


def test_no_llm_is_asked_unless_that_is_wanted(observed: Project) -> None:
    with observed.store.transaction():
        observed.store.items.add([Item("new", "never read")], "more.csv")
    observed.may_ask = False
    annotate(observed, ["i000", "i100"])
    with pytest.raises(RefusedError, match="ada would have to be asked about 1 text"):
        annotate(observed, ["i100", "new"])
