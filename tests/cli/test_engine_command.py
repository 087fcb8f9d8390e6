"""mollia engine certificates: files for their owner, commands that can be pasted."""

import json
import shlex
import stat
from pathlib import Path

import pytest

from mollia_cli.cli.main import main


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["mollia", "engine", "certificates", *words])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "with space"
    assert run(monkeypatch, str(folder), "--host", "10.0.0.5", "--host", "box.lan", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    scheduler, worker, here = map(shlex.split, found["dask"])
    assert scheduler[:4] == ["dask", "scheduler", "--host", "tls://10.0.0.5"]
    assert worker[:3] == ["dask", "worker", "tls://10.0.0.5:8786"] and worker[worker.index("--nthreads") + 1] == "1"
    assert here == ["mollia", "annotate", "--on", "dask", "--address", "tls://10.0.0.5:8786"]
    for command, role in ((scheduler, "scheduler"), (worker, "worker")):
        assert command[command.index("--dashboard-address") + 1] == "127.0.0.1:0"
        for option, name in (("--tls-ca-file", "ca"), ("--tls-cert", role), ("--tls-key", f"{role}-key")):
            path = Path(command[command.index(option) + 1])
            assert path == folder / f"{name}.pem" and stat.S_IMODE(path.stat().st_mode) == 0o600
    head = shlex.split(found["ray"][0])
    assert {"RAY_AUTH_MODE=token", "RAY_USE_TLS=1", f"RAY_AUTH_TOKEN_PATH={folder / 'token'}"} <= set(head)
    assert head[head.index("--node-ip-address") + 1] == "10.0.0.5"


def test_people_see_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, str(tmp_path / "c"), "--host", "10.0.0.5") == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1].startswith("dask scheduler ") and "copy it to every machine" in said.err
    assert run(monkeypatch, str(tmp_path / "c"), "--host", "10.0.0.5") == 2
    assert "has certificates already" in capsys.readouterr().err
