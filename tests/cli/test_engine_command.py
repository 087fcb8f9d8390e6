"""mollia engine certificates: files for their owner, commands that can be pasted."""

import json
import shlex
import stat
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError, NotFoundError


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["engine", "certificates", *words])


def test_the_commands(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    found = json.loads(run("-o", str(folder), "--host", "10.0.0.5", "--host", "box.lan", "--json").stdout)
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


def test_people_see_them_too(tmp_path: Path) -> None:
    done = run("-o", str(tmp_path / "c"), "--host", "10.0.0.5")
    assert done.stdout.splitlines()[1].startswith("dask scheduler ") and "copy it to every machine" in done.stderr
    again = run("-o", str(tmp_path / "c"), "--host", "10.0.0.5")
    assert isinstance(again.exception, InputError) and "has certificates already" in again.exception.message


def test_a_project_has_a_place_for_them(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    assert isinstance(run("--host", "10.0.0.5", "-p", str(tmp_path / "p")).exception, NotFoundError)
    (tmp_path / "p" / "mollia.toml").touch()
    (tmp_path / "p" / "mollia.db").touch()
    assert run("--host", "10.0.0.5", "-p", str(tmp_path / "p")).exit_code == 0
    assert (tmp_path / "p" / "certificates" / "client.pem").is_file()
