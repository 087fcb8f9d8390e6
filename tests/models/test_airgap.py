"""Across the gap: from a bundle to answers, in a network namespace that has no interface.

``make airgap-demo`` does all of it with real wheels, up to a finished ``mollia demo``.
"""

import errno
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pip
import pytest

import mollia_cli
from mollia_cli.models.bundle import pack

from .samples import wheel

PACKAGE = Path(mollia_cli.__file__).parents[1]
ISOLATED = ["unshare", "--map-root-user", "--net"]
MOLLIA = "from mollia_cli.cli.main import main; main()"
REACH = "import errno, socket; print(errno.errorcode[socket.socket().connect_ex(('192.0.2.1', 9))], end='')"
STANDS_FOR_MOLLIA = b"import sys\ndef main(): print('mollia', *sys.argv[1:])\n"


def namespaces_work() -> bool:
    try:
        return subprocess.run([*ISOLATED, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(not namespaces_work(), reason="this system lets nobody make a network namespace"),
]


def isolated(folder: Path, *command: object, stdin: str = "", path: Path = PACKAGE) -> str:
    """Standard output of a command that has no network; its models' home is a new one in the folder."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "MOLLIA_HOME": str(folder / "home")}
    environment |= {"PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*ISOLATED, *map(str, command)],
        **{"input": stdin, "capture_output": True, "text": True, "check": False},
        cwd=folder,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_a_bundle_to_answers(test_llm: Path, test_encoder: Path, tmp_path: Path) -> None:
    llm, encoder = test_llm.parent.name, test_encoder.name
    pack(tmp_path / "bundle.tar", [llm, encoder])
    assert isolated(tmp_path, sys.executable, "-c", REACH) == errno.errorcode[errno.ENETUNREACH]

    def mollia(*arguments: str, stdin: str = "") -> str:
        return isolated(tmp_path, sys.executable, "-c", MOLLIA, *arguments, stdin=stdin)

    assert json.loads(mollia("unbundle", "bundle.tar", "--json"))["installed"] == [llm, encoder]
    found = json.loads(mollia("doctor", "--json"))
    assert found["ok"] and [model["state"] for model in found["models"]] == ["ok", "ok"]
    mollia("init", "p", "--labels", "billing,results")
    mollia("import", "-", "-p", "p", stdin="Is my scan back?\nWho sent me this invoice?\n")
    said = mollia("annotate", "-p", "p", "--split", "pool", "--threads", "1")
    answers = [json.loads(line) for line in said.splitlines()]
    assert [answer["model"] for answer in answers] == [llm] * 2
    assert all(0 < answer["mass"] <= 1 for answer in answers)


def test_the_program_in_the_bundle_installs_the_wheels(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    entry = {"mollia-1.0.dist-info/entry_points.txt": b"[console_scripts]\nmollia = mollia_stand_in:main\n"}
    wheel(wheels, "mollia", {"mollia_stand_in.py": STANDS_FOR_MOLLIA, **entry})
    pack(tmp_path / "bundle.tar", wheels=wheels)
    # an environment of its own takes ensurepip a long time: this one borrows the pip that runs here
    venv.create(tmp_path / "venv", with_pip=False)
    (tmp_path / "only pip").mkdir()
    (tmp_path / "only pip" / "pip").symlink_to(Path(pip.__file__).parent)
    isolated(tmp_path, "tar", "-xf", "bundle.tar", "install.py")
    said = isolated(tmp_path, sys.executable, "-I", "install.py", "bundle.tar", "venv", path=tmp_path / "only pip")
    assert said == "mollia unbundle bundle.tar\n"
    assert not list(tmp_path.glob(".wheels-*"))
