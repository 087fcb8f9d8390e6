"""The engine ``local``: worker processes that can be ended, can hang, and never outlive who started them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import mollia_cli
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.engines import ENGINES, local
from mollia_cli.engines.base import EngineContext, LostError
from mollia_cli.engines.local import LocalEngine

TREE = str(Path(mollia_cli.__file__).parents[1])
# What the workers of these tests call; a worker calls functions of mollia's own modules alone.
WORK = """
import json, os, signal, sys, time
from types import ModuleType
from pathlib import Path

def where(common):
    return str(os.getpid())

def double(common, task):
    return str(2 * int(task))

def slow(common, task):
    time.sleep(0.3)
    return str(os.getpid())

def once(common, task):  # what task 1 meets first does not come back
    if task == "1" and not Path(common).exists():
        Path(common).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task

def hangs(common, task):
    if task == "1" and not Path(common).exists():
        Path(common).touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return task

def dies(common, task):
    with Path(common).open("a") as met:
        met.write("x")
    print("no answer", flush=True)
    print("last words", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

def refuses(common, task):
    from mollia_cli.domain.errors import InputError
    raise InputError("this task", "another one")

def breaks(common, task):
    return str(1 / 0)

def connects(common, task):
    import socket
    socket.create_connection(("192.0.2.1", 9), timeout=5)

made = ModuleType("mollia_cli.made")
vars(made).update(globals())
sys.modules["mollia_cli.made"] = made
from mollia_cli.engines.worker import main
main()
"""


@pytest.fixture(autouse=True)
def work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "COMMAND", ("-c", WORK))


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(2) as started:
        yield started


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def ends(pids: list[int], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while any(map(runs, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(runs, pids))


def test_every_task_is_answered_once(engine: LocalEngine) -> None:
    drawn = []

    def tasks() -> Iterator[str]:
        for n in range(40):
            drawn.append(n)
            yield str(n)

    found = engine.map("mollia_cli.made:double", "", tasks())
    first = next(found)
    assert len(drawn) <= 3, "tasks are drawn as workers become free"
    assert sorted([first, *found]) == [(n, str(2 * n)) for n in range(40)]
    assert len(set(engine.everywhere("mollia_cli.made:where", ""))) == engine.workers == 2


def test_both_work_at_the_same_time(engine: LocalEngine) -> None:
    assert len({pid for _, pid in engine.map("mollia_cli.made:slow", "", ["", "", "", ""])}) == 2


def test_a_worker_that_is_killed_is_replaced(engine: LocalEngine, tmp_path: Path) -> None:
    before = engine.everywhere("mollia_cli.made:where", "")
    found = list(engine.map("mollia_cli.made:once", str(tmp_path / "killed"), map(str, range(6))))
    assert sorted(found) == [(n, str(n)) for n in range(6)]
    after = engine.everywhere("mollia_cli.made:where", "")
    assert len(set(before) & set(after)) == 1 and len(set(after)) == 2
    os.kill(int(after[0]), signal.SIGKILL)  # while it has nothing to do
    assert ends([int(after[0])])
    assert sorted(engine.map("mollia_cli.made:double", "", ["1", "2"])) == [(0, "2"), (1, "4")]


def test_a_worker_that_hangs_is_replaced(engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "LEAST_SECONDS", 1.0)
    found = list(engine.map("mollia_cli.made:hangs", str(tmp_path / "stopped"), map(str, range(6))))
    assert sorted(found) == [(n, str(n)) for n in range(6)]


def test_what_is_slow_for_all_hangs_nowhere(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "LEAST_SECONDS", 0.1)  # and ten times the slowest, 3 seconds, is more
    before = set(engine.everywhere("mollia_cli.made:where", ""))
    assert {pid for _, pid in engine.map("mollia_cli.made:slow", "", [""] * 4)} == before


def test_a_task_that_ends_three_workers_is_given_up(engine: LocalEngine, tmp_path: Path) -> None:
    with pytest.raises(LostError, match="task 0 has ended 3 workers, the last one by SIGKILL: last words"):
        list(engine.map("mollia_cli.made:dies", str(tmp_path / "met"), ["0"]))
    assert (tmp_path / "met").read_text() == "xxx"


def test_errors_come_back_as_what_they_are(engine: LocalEngine) -> None:
    with pytest.raises(InputError, match="this task") as refused:
        list(engine.map("mollia_cli.made:refuses", "", ["0", "1"]))
    assert refused.value.hint == "another one"
    with pytest.raises(Exception, match="ZeroDivisionError") as broken:
        list(engine.map("mollia_cli.made:breaks", "", ["0"]))
    assert "in breaks" in broken.value.hint  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="no worker calls 'os:getpid'"):
        engine.everywhere("os:getpid", "")
    assert list(engine.map("mollia_cli.made:double", "", ["4"])) == [(0, "8")]


def test_no_worker_connects_to_anything(engine: LocalEngine) -> None:
    with pytest.raises(RefusedError, match=r"tried to connect to 192\.0\.2\.1, and was refused"):
        list(engine.map("mollia_cli.made:connects", "", ["0"]))


def test_nothing_is_left_when_it_ends(engine: LocalEngine) -> None:
    pids = [int(pid) for pid in engine.everywhere("mollia_cli.made:where", "")]
    left = engine.map("mollia_cli.made:slow", "", [""] * 9)
    next(left)
    assert any(map(runs, pids))
    engine.close()
    assert ends(pids)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_workers_end_with_who_started_them(how: signal.Signals) -> None:
    program = f"""
import sys
sys.path.insert(0, {TREE!r})
from mollia_cli.engines import local
local.COMMAND = ("-c", {WORK.replace("0.3", "60")!r})
with local.LocalEngine(2) as engine:
    print(*engine.everywhere("mollia_cli.made:where", ""), flush=True)
    list(engine.map("mollia_cli.made:slow", "", [""] * 9))
"""
    driver = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert driver.stdout is not None
    pids = [int(pid) for pid in driver.stdout.readline().split()]
    assert len(pids) == 2 and all(map(runs, pids))
    driver.send_signal(how)
    assert ends([driver.pid, *pids])
    driver.wait()
    driver.stdout.close()


def test_its_input_ends_a_worker_where_the_system_does_not() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORK.replace("0.3", "60"), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": TREE},
    )
    assert worker.stdin is not None and worker.stdout is not None
    for call in (["mollia_cli.made:where", ""], ["mollia_cli.made:slow", "", ""]):
        worker.stdin.write(json.dumps(call).encode() + b"\n")
    worker.stdin.flush()
    assert json.loads(worker.stdout.readline()) == {"value": str(worker.pid)}
    worker.stdin.close()
    assert worker.wait(timeout=10) == 0
    worker.stdout.close()


def test_it_has_no_address() -> None:
    kind = ENGINES.load("local")
    with pytest.raises(InputError, match=r"no address, and '10\.0\.0\.1:1' was given"):
        kind.from_context(EngineContext("10.0.0.1:1", 2, 1, "", print))
