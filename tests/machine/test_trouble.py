"""The machine's troubles, made for real: each is one clear message, and the data are as before."""

import json
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlite_utils import Database

import mollia_cli
from mollia_cli.project.context import Project
from mollia_cli.store.migrations import migrations

MAIN = "from mollia_cli.cli.main import main; main()"
# mollia with one migration more than it has
LATER = (
    "from mollia_cli.store.migrations import migrations;"
    " migrations(name='m002_made_up')(lambda db: db.execute('ALTER TABLE items ADD COLUMN made_up TEXT')); " + MAIN
)
THIS_TREE = {**os.environ, "PYTHONPATH": str(Path(mollia_cli.__file__).parents[1])}


def mollia(
    *arguments: object, code: int = 0, before: Sequence[str] = (), program: str = MAIN, **options: object
) -> str:
    """What the command prints on both streams; ``before``: programs that run it; ``program``: its Python."""
    command = [*before, sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=THIS_TREE, **options)  # type: ignore[call-overload]
    said = str(done.stdout + done.stderr)
    assert done.returncode == code, said
    assert "Traceback" not in said and "unexpected" not in said
    return said


def works(*command: str) -> bool:
    return bool(shutil.which(command[0])) and not subprocess.run(command, capture_output=True, check=False).returncode


@pytest.fixture
def mounted(tmp_path: Path) -> Callable[..., str]:
    """Runs a shell script that mounts, in a namespace of its own; $MOLLIA is the command, $LATER that of tomorrow."""
    point = tmp_path / "mounted"
    point.mkdir()
    if not works("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(point)):
        pytest.skip("this system lets nobody mount a file system in a namespace")
    programs = {"MOLLIA": tmp_path / "mollia", "LATER": tmp_path / "later"}
    for file, python in zip(programs.values(), (MAIN, LATER), strict=True):
        file.with_suffix(".py").write_text(python)
        file.write_text(f'#!/bin/sh\nexec {sys.executable} {file.with_suffix(".py")} "$@"\n')
        file.chmod(0o700)

    def run(script: str) -> str:
        own = {**THIS_TREE, **{name: str(file) for name, file in programs.items()}, "HERE": str(point)}
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-ec", script], capture_output=True, text=True, check=False, env=own, cwd=tmp_path
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        assert "Traceback" not in said and "unexpected" not in said
        return said

    return run


@pytest.mark.proof
def test_a_full_disk(observed: Project, tmp_path: Path, mounted: Callable[..., str]) -> None:
    observed.store.close()
    rows = (json.dumps({"text": f"text {n} " * 40}) for n in range(10_000))
    (tmp_path / "big.jsonl").write_text("\n".join(rows))
    (tmp_path / "small.txt").write_text("a new text\n")
    said = mounted(
        """
        mount -t tmpfs -o size=2M tmpfs $HERE; cp -r observed $HERE/p
        $MOLLIA import big.jsonl -p $HERE/p && exit 1
        $MOLLIA sql 'select count(*) from items' -p $HERE/p
        cat /dev/zero > $HERE/zeros || true
        $MOLLIA export labels -o $HERE/labels.csv -p $HERE/p && exit 1
        $MOLLIA import small.txt -p $HERE/p && exit 1
        rm $HERE/zeros; ls -A $HERE
        $MOLLIA import small.txt -p $HERE/p
        $MOLLIA sql 'select count(*) from items' -p $HERE/p
        """
    )
    assert said.count("the disk is full") == 3
    assert '{"count(*)": 260}' in said and '{"count(*)": 261}' in said
    assert ".part" not in said


@pytest.mark.proof
def test_a_project_that_can_only_be_read(observed: Project, tmp_path: Path, mounted: Callable[..., str]) -> None:
    observed.store.close()
    assert not (observed.root / "mollia.db-wal").exists()
    (tmp_path / "small.txt").write_text("a new text\n")
    said = mounted(
        """
        mount --bind observed $HERE; mount -o remount,ro,bind $HERE
        $MOLLIA status -p $HERE
        $MOLLIA sql 'select count(*) from items' -p $HERE
        $MOLLIA report panel -p $HERE
        $MOLLIA import small.txt -p $HERE && exit 1 || true
        """
    )
    assert "260" in said and "ada" in said
    assert "cannot be written" in said and "check the permissions" in said


@pytest.mark.proof
def test_no_permission(observed: Project) -> None:
    observed.store.close()
    powerless = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []
    if powerless and not works(*powerless, "true"):
        pytest.skip("root may read everything, and setpriv is not here to take that away")
    database = observed.root / "mollia.db"
    database.chmod(0)
    said = mollia("status", "-p", observed.root, code=1, before=powerless)
    assert str(database) in said and "check the permissions" in said
    database.chmod(0o600)
    assert "260" not in said and "ada" in mollia("status", "-p", observed.root)


@pytest.mark.proof
def test_no_memory_for_a_model(make_real_project: Callable[..., Project]) -> None:
    root = make_real_project().root
    limit = 256 << 20

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    said = mollia("annotate", "--threads", "1", "-p", root, code=1, preexec_fn=little)
    assert "MB of memory" in said and "are free" in said and "use a smaller model" in said
    limit = 64 << 20
    assert "out of memory" in mollia("annotate", "-p", root, code=1, preexec_fn=little)


def test_a_database_of_a_newer_version(observed: Project) -> None:
    observed.store.close()
    database = observed.root / "mollia.db"
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('mollia', 'm999_later', 'now')"
        )
    connection.close()
    before = database.read_bytes()
    said = mollia("status", "-p", observed.root, code=4)
    assert "its version is m999" in said and f"mollia {mollia_cli.__version__} reads m001 at most" in said
    assert "pip install --upgrade mollia" in said
    assert database.read_bytes() == before


def test_a_database_of_an_older_version_is_kept_beside_the_new_one(observed: Project) -> None:
    observed.store.close()
    path = observed.store.path
    kept = path.with_name("mollia.db.before-m002")
    said = mollia("status", "-p", observed.root, program=LATER)
    assert f"it is kept as {kept}" in said
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    copy = Database(kept)
    assert [applied.name for applied in migrations.applied(copy)] == ["m001_schema"]
    assert "made_up" not in copy["items"].columns_dict and copy["items"].count == 260
    copy.close()
    new = Database(path)
    assert [applied.name for applied in migrations.applied(new)] == ["m001_schema", "m002_made_up"]
    assert "made_up" in new["items"].columns_dict and new["items"].count == 260
    new.close()
    assert sorted(file.name for file in path.parent.glob("mollia.db*")) == ["mollia.db", kept.name]
    assert "kept as" not in mollia("status", "-p", observed.root, program=LATER)


@pytest.mark.proof
def test_an_older_database_that_cannot_be_written_is_left_alone(observed: Project, mounted: Callable[..., str]) -> None:
    observed.store.close()
    before = observed.store.path.read_bytes()
    said = mounted(
        """
        mount --bind observed $HERE; mount -o remount,ro,bind $HERE
        $LATER status -p $HERE && exit 1 || true
        """
    )
    assert "was written by an older mollia" in said and "copy the project's folder" in said
    assert observed.store.path.read_bytes() == before


def test_a_damaged_page(observed: Project) -> None:
    observed.store.close()
    database = observed.root / "mollia.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'observations'").fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    raw = bytearray(database.read_bytes())
    raw[(page - 1) * size : page * size] = b"\xff" * size
    database.write_bytes(raw)
    said = mollia("status", "-p", observed.root, code=4)
    assert "is damaged" in said and "restore it from a backup" in said and "mollia doctor" in said
    assert "problem: the project" in mollia("doctor", "-p", observed.root, code=1)
    assert "is damaged" in mollia("report", "--json", "-p", observed.root, code=4)  # and not a report with holes
    assert database.read_bytes() == raw
