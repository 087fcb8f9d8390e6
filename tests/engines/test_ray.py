"""Ray, real processes: what is killed loses nothing and leaves nothing, and nobody else is connected to."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from engine_processes import PROGRAM, alive, family, until

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.network import LIBRARIES
from mollia_cli.engines import ENGINES
from mollia_cli.engines.base import EngineContext, LostError
from mollia_cli.engines.ray import RayEngine

pytestmark = [
    pytest.mark.proof,  # Ray is not imported here: from then on it would know no token
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray (378 MB) is not installed: pip install 'mollia[ray]'"),
]


def command(folder: Path, function: str, common: object, tasks: int, under: tuple[str, ...] = ()) -> list[str]:
    typed = ["ray", "", str(folder), function, json.dumps(common), json.dumps([str(n) for n in range(tasks)])]
    return [*under, sys.executable, "-c", PROGRAM, *typed]


def start(program: list[str]) -> "subprocess.Popen[str]":
    pipe, environment = subprocess.PIPE, {**os.environ, **LIBRARIES}
    return subprocess.Popen(program, stdout=pipe, stderr=pipe, text=True, env=environment)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder whose path is short enough for Ray's sockets."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="mr-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr("tempfile.tempdir", folder)
        yield Path(folder)


def test_work_on_this_machine(made: str, scratch: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Every task once; a worker killed, a task that ends them all, an error as itself; nothing left or printed."""
    with RayEngine.from_context(EngineContext("", 2, 1, "", str)) as ray:
        (folder,) = scratch.glob("mollia-ray-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        pids = ray.everywhere(f"{made}:where", "")
        assert len(set(pids)) == ray.workers == 2
        found = ray.map(f"{made}:slow", json.dumps([str(scratch), 0.2]), map(str, range(8)))
        ended = [next(found)]
        os.kill(int(pids[0]), signal.SIGKILL)
        assert sorted([*ended, *found]) == [(n, str(n)) for n in range(8)]
        with pytest.raises(LostError) as lost:
            list(ray.map(f"{made}:crash", "", ["0"]))
        assert lost.value.number == 0
        with pytest.raises(InputError, match="7 cannot be used"):
            list(ray.map(f"{made}:refuse", "", ["7"]))
        assert next(ray.map(f"{made}:reach", "", [""]))[1].startswith("RefusedError: something tried to connect")
        processes = family(os.getpid())
        assert len(processes) > 5
    assert until(lambda: not any(map(alive, processes)), 10) and not list(scratch.glob("mollia-ray-*"))
    assert capfd.readouterr().out == ""


def test_a_driver_is_killed(made: str, scratch: Path) -> None:
    """None of Ray's processes and no folder outlives it."""
    driver = start(command(scratch, "slow", [str(scratch), 5], 4))
    assert until(lambda: len(list(scratch.glob("?-*"))) == 2, 60)
    processes = family(driver.pid)
    driver.kill()
    driver.communicate()
    assert len(processes) > 5 and until(lambda: not any(map(alive, processes)), 15), [
        Path(f"/proc/{p}/cmdline").read_text() for p in processes if alive(p)
    ]
    assert until(lambda: not list(scratch.glob("mollia-ray-*")), 5)


def test_the_system_calls(made: str, scratch: Path) -> None:
    """Ray's native processes as well: connected and bound to is the loopback alone, and no metadata server asked."""
    log = scratch / "strace.log"
    watch = ("strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=network", "-o", str(log))
    if subprocess.run([*watch, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody watch system calls")
    ended = start(command(scratch, "double", "", 3, watch))
    out, err = ended.communicate(timeout=120)
    assert out.endswith("refused []\n") and ended.returncode == 0, err
    uses = re.findall(r"(?:connect|bind|sendto)\(.*AF_INET.*", log.read_text(errors="replace"))
    own = re.compile(r'"(?:::ffff:)?127\.0\.0\.1"|"::1"')
    assert len(uses) > 50 and not [use for use in uses if not own.search(use)]


def test_the_registry_has_it() -> None:
    assert ENGINES.load("ray") is RayEngine
