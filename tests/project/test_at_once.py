"""Several commands in one project at the same time: each does its work, nothing is lost, doubled or locked."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import mollia_cli
from mollia_cli.annotators.llama.binding.formats import reencode
from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.settings import RunConfig
from mollia_cli.project.context import Project
from mollia_cli.project.panel import change_panel
from mollia_cli.store.lock import locked
from mollia_cli.store.store import Store

THIS_TREE = {**os.environ, "PYTHONPATH": str(Path(mollia_cli.__file__).parents[1])}
MOLLIA = [sys.executable, "-c", "from mollia_cli.cli.main import main; main()"]
Started = subprocess.Popen[str]


def start(project: Project, *arguments: str) -> Started:
    command = [*MOLLIA, *arguments, "-p", str(project.root)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=THIS_TREE
    )


def end(process: Started, answers: str = "", code: int = 0) -> str:
    out, said = process.communicate(answers)
    assert process.returncode == code, said
    assert "locked" not in said and "Traceback" not in said, said
    return out + said


@pytest.mark.proof
def test_two_annotate_status_and_review(
    make_real_project: Callable[..., Project], shallow_llm: Path, tmp_path: Path
) -> None:
    project = make_real_project()
    reencode(shallow_llm, tmp_path / "other.gguf", "", threads=1, layers=2)
    change_panel(
        project, add=[str(shallow_llm), str(tmp_path / "other.gguf")], remove=[member.name for member in project.panel]
    )
    readers = [
        start(project, "annotate", "--split", "pool", "--threads", "1", "--model", name)
        for name in (shallow_llm.stem, "other")
    ]
    person = start(project, "review", "--plain", "--strategy", "random", "--who", "anna")
    looks = [end(start(project, "status")) for _ in range(3)]
    end(person, "1\n2\n" * 20)
    for reader in readers:
        end(reader)
    assert all("pool" in look for look in looks)
    pool = project.store.items.ids("pool")
    assert {row["name"]: row["items"] for row in project.store.observations.summary()} == {
        shallow_llm.stem: len(pool),
        "other": len(pool),
    }
    assert sorted(decision.item_id for decision in project.store.decisions.all()) == sorted(pool)
    assert not project.store.damage()


def test_writers_that_read_first_wait_for_each_other(observed: Project) -> None:
    ids, wrong = observed.store.items.ids("pool"), []

    def decide(who: str) -> None:
        store = Store(observed.root, observed.labels)
        try:
            for item_id in ids[:50]:
                store.decisions.add(Decision(item_id, LABEL, who, 1))
        except Exception as error:
            wrong.append(error)
        finally:
            store.close()

    people = [threading.Thread(target=decide, args=(who,)) for who in ("anna", "ben", "cleo")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert not wrong
    assert len(observed.store.decisions.all()) == 150


def test_a_second_run_is_told_who_has_the_run(observed: Project) -> None:
    with observed.hold("main"), observed.hold("a/b"):
        said = end(start(observed, "round", "--run", "main"), code=4)
        assert observed.store.runs.config("main") is None
    assert re.search(
        rf"run 'main' is in the hands of process {os.getpid()} on {re.escape(socket.gethostname())}, since \d{{4}}-",
        said,
    )
    assert f"kill {os.getpid()}" in said and "dead is taken over" in said


def test_a_run_whose_process_is_dead_is_taken_over(observed: Project) -> None:
    holder = os.fork()
    if not holder:
        with observed.hold("main"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(holder, 0)
    said: list[str] = []
    observed.say = said.append
    with observed.hold("main"), observed.hold("main"):
        pass
    assert len(said) == 1 and f"was left by process {holder} on" in said[0] and "taken over" in said[0]
    with observed.hold("main"):
        pass
    assert len(said) == 1


def test_a_lock_of_another_host_is_left_to_a_person(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text('{"pid": 7, "host": "elsewhere", "since": "2026-01-01T00:00:00+00:00"}')
    with (
        pytest.raises(RefusedError, match="process 7 on elsewhere, since 2026-01-01") as caught,
        locked(path, "it", print),
    ):
        pass
    assert f"rm '{path}'" in caught.value.hint
    path.unlink()
    with locked(path, "it", print):
        pass


def test_runs_keep_their_order_when_the_clock_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path, LabelSet(("red", "green")), create=True)
    for time, name in (("2030", "one"), ("2030", "two"), ("2020", "one"), ("2020", "three"), ("2020", "two")):
        monkeypatch.setattr("mollia_cli.store.writing.now", lambda time=time: f"{time}-01-01T00:00:00+00:00")
        store.runs.put(name, RunConfig())
        store.observations.register(name, {"model": name})
        assert store.runs.names()[0] == name
    assert store.runs.names() == ["two", "three", "one"]
    assert [row["name"] for row in store.observations.summary()] == ["one", "three", "two"]
    store.close()
