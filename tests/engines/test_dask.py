"""Dask, real processes over the loopback: what is killed, stopped or forged loses nothing and leaves nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from engine_processes import PROGRAM, alive, family, until

from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.network import LIBRARIES, allowed
from mollia_cli.engines import ENGINES, certificates
from mollia_cli.engines import dask as engine_file
from mollia_cli.engines.base import EngineContext, LostError
from mollia_cli.engines.dask import DaskEngine

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'mollia[dask]'")
pytestmark = pytest.mark.proof

LOOPBACK = ("127.0.0.1", "::1")


def engine(address: str = "", folder: Path = Path(), workers: int = 2) -> DaskEngine:
    return DaskEngine.from_context(EngineContext(address, workers, 1, str(folder), print))


class Cluster:
    """A scheduler and two workers with their nanny, started as docs/engines.md says."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.folder, self._logs = folder, logs
        self.address = f"tls://127.0.0.1:{_free_port()}"
        host, _, port = self.address.rpartition(":")
        self.scheduler = self._start("scheduler", "--host", host, "--port", port)
        self.nanny = self._start(
            *("worker", self.address, "--nworkers", "2", "--nthreads", "1", "--memory-limit", "0"),
            *("--local-directory", str(logs), "--preload", "mollia_cli.engines.dask_worker"),
        )

    def _start(self, role: str, *options: str) -> subprocess.Popen[bytes]:
        tls = [f"--tls-{what}={self.folder / name}" for what, name in (("ca-file", "ca.pem"), ("cert", f"{role}.pem"))]
        tls += [f"--tls-key={self.folder / role}-key.pem", "--no-dashboard", "--dashboard-address=127.0.0.1:0"]
        program = [sys.executable, "-m", "dask", role, *options, *tls]
        with (self._logs / f"{role}.log").open("ab") as log:
            return subprocess.Popen(program, stdout=log, stderr=log, cwd=self._logs)

    def end(self) -> None:
        started = [pid for process in (self.scheduler, self.nanny) for pid in (process.pid, *family(process.pid))]
        for pid in started:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in (self.scheduler, self.nanny):
            process.wait()


def _free_port() -> int:
    import socket

    with allowed(), socket.create_server(("127.0.0.1", 0)) as there:
        return int(there.getsockname()[1])


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    certificates.make(folder / "tls", days=1)
    logs = folder / "logs"
    logs.mkdir()
    there = Cluster(folder / "tls", logs)
    try:
        assert until(lambda: "Register" in (logs / "scheduler.log").read_text())
        yield there
    finally:
        there.end()


def command(address: str, folder: Path, function: str, common: object, tasks: int) -> subprocess.Popen[str]:
    typed = ["dask", address, str(folder), function, json.dumps(common), json.dumps([str(n) for n in range(tasks)])]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *typed],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **LIBRARIES},
    )


def test_work_on_this_machine(made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every task once, what is raised as itself, nothing reached but the loopback, nothing left."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(engine_file, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    drawn = []

    def tasks() -> Iterator[str]:
        for number in range(50):
            drawn.append(number)
            yield str(number)

    with engine() as dask:
        (folder,) = tmp_path.glob("mollia-dask-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(set(dask.everywhere(f"{made}:where", ""))) == dask.workers == 2
        found = dask.map(f"{made}:double", "", tasks())
        first = next(found)
        assert len(drawn) <= 6  # no more than the workers have and what comes next
        assert sorted([first, *found]) == [(n, str(2 * n)) for n in range(50)]
        with pytest.raises(InputError, match="7 cannot be used") as refused:
            list(dask.map(f"{made}:refuse", "", ["7"]))
        assert refused.value.hint == "use another"
        assert next(dask.map(f"{made}:reach", "", [""]))[1].startswith("RefusedError: something tried to connect")
        workers = family(os.getpid())
        assert len(workers) == 2
    assert not any(map(alive, workers)) and not list(tmp_path.glob("mollia-dask-*"))


def test_a_worker_is_killed(made: str, tmp_path: Path) -> None:
    with engine() as dask:
        found = dask.map(f"{made}:slow", json.dumps([str(tmp_path), 0.3]), [str(n) for n in range(10)])
        ended = [next(found)]
        os.kill(int(dask.everywhere(f"{made}:where", "")[0]), signal.SIGKILL)
        assert sorted([*ended, *found]) == [(n, str(n)) for n in range(10)]
        assert until(lambda: len(dask.everywhere(f"{made}:where", "")) == 2)


def test_a_task_that_ends_its_workers(made: str) -> None:
    with engine() as dask:
        with pytest.raises(LostError) as lost:
            list(dask.map(f"{made}:crash", "", ["0"]))
        assert lost.value.number == 0
        assert list(dask.map(f"{made}:double", "", ["4"])) == [(0, "8")]


def test_a_driver_is_killed(made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker and no folder outlives it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    driver = command("", tmp_path, "slow", [str(tmp_path), 5], 4)
    assert until(lambda: len(list(tmp_path.glob("?-*"))) == 2)
    workers = family(driver.pid)
    driver.kill()
    driver.communicate()
    assert len(workers) == 2 and until(lambda: not any(map(alive, workers)), 5)
    assert until(lambda: not list(tmp_path.glob("mollia-dask-*")), 5)


def test_ctrl_c(made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    driver = command("", tmp_path, "slow", [str(tmp_path), 5], 4)
    assert until(lambda: len(list(tmp_path.glob("?-*"))) == 2)
    workers = family(driver.pid)
    driver.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in driver.communicate(timeout=10)[1]
    assert not any(map(alive, workers)) and not list(tmp_path.glob("mollia-dask-*"))


def test_a_scheduler_of_somewhere_else(made: str, tmp_path: Path) -> None:
    """Over TLS, with the guard in driver and workers; a node that dies and comes back; wrong certificates."""
    with cluster(tmp_path) as there:
        with engine(there.address, there.folder) as dask:
            assert until(lambda: len(set(dask.everywhere(f"{made}:where", ""))) == 2)
            assert next(dask.map(f"{made}:reach", "", [""]))[1].startswith("RefusedError: something tried to connect")
        assert there.scheduler.poll() is None and len(family(there.nanny.pid)) >= 2

        driver = command(there.address, there.folder, "slow", [str(tmp_path), 0.5], 12)
        assert until(lambda: list(tmp_path.glob("?-*")))
        for pid in (there.nanny.pid, *family(there.nanny.pid)):
            os.kill(pid, signal.SIGKILL)
        there.nanny.wait()
        there.nanny = there._start(
            *("worker", there.address, "--nworkers", "1", "--nthreads", "1", "--local-directory", str(tmp_path))
        )
        out, err = driver.communicate(timeout=60)
        assert sorted(out.split("\n")) == sorted(["", *(f"{n} {n}" for n in range(12)), "refused []"]), err

        certificates.make(tmp_path / "other", days=1)
        with (
            pytest.raises(RefusedError, match="of another authority than yours"),
            engine(there.address, tmp_path / "other"),
        ):
            pass


def test_a_scheduler_that_stops_answering(made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_file, "ANSWER_SECONDS", 2.0)
    monkeypatch.setattr(engine_file, "_LOOK_SECONDS", 0.5)
    with cluster(tmp_path) as there:
        begin = time.monotonic()
        with (
            pytest.raises(RefusedError, match="is lost: no answer came within 2 seconds") as refused,
            engine(there.address, there.folder) as dask,
        ):
            for _ in dask.map(f"{made}:slow", json.dumps([str(tmp_path), 0.2]), map(str, range(1000))):
                there.scheduler.send_signal(signal.SIGSTOP)
                begin = time.monotonic()
        assert time.monotonic() - begin < 20 and "the same command goes on" in refused.value.hint
        there.scheduler.send_signal(signal.SIGCONT)
        with engine(there.address, there.folder) as dask:
            assert list(dask.map(f"{made}:double", "", ["4"])) == [(0, "8")]
        with (
            pytest.raises(RefusedError, match="is lost: the connection broke"),
            engine(there.address, there.folder) as dask,
        ):
            for _ in dask.map(f"{made}:slow", json.dumps([str(tmp_path), 0.2]), map(str, range(1000))):
                there.scheduler.kill()


def test_a_worker_of_several_threads(made: str, tmp_path: Path) -> None:
    with cluster(tmp_path) as there:
        there._start("worker", there.address, "--nthreads", "2", "--local-directory", str(tmp_path))
        there.nanny.kill()
        with pytest.raises(RefusedError, match="has 2 threads"), engine(there.address, there.folder) as dask:
            while True:
                dask.everywhere(f"{made}:where", "")


def test_the_registry_has_it() -> None:
    assert ENGINES.load("dask") is DaskEngine
    with pytest.raises(InputError, match="is no address"):
        engine("10.0.0.5:8786")


def test_the_system_calls(made: str, tmp_path: Path) -> None:
    """Whatever does it, Python or not: nothing is connected or bound to but 127.0.0.1, in driver and workers."""
    log = tmp_path / "strace.log"
    watch = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=network", "-o", str(log)]
    if subprocess.run([*watch, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody watch system calls")
    typed = ["dask", "", str(tmp_path), "double", "", json.dumps(["1", "2", "3"])]
    done = subprocess.run(
        [*watch, sys.executable, "-c", PROGRAM, *typed], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.endswith("refused []\n")
    uses = re.findall(r"(?:connect|bind|sendto)\(.*AF_INET.*", log.read_text())
    assert len(uses) > 5 and not [use for use in uses if not any(f'"{here}"' in use for here in LOOPBACK)]
