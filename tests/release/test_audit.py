"""release/audit.py: pins beside OSV advisories, without a network."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

RELEASE = Path(__file__).parents[2] / "release"


def advisory(package: str = "jinja2", ecosystem: str = "PyPI", **affected: Any) -> dict[str, Any]:
    package_of_it = {"package": {"name": package, "ecosystem": ecosystem}}
    return {"id": "TEST-1", "summary": "made by hand", "affected": [package_of_it | affected]}


def events(*pairs: tuple[str, str], kind: str = "ECOSYSTEM") -> dict[str, Any]:
    return {"ranges": [{"type": kind, "events": [{name: version} for name, version in pairs]}]}


@pytest.mark.parametrize(
    ("affected", "applies"),
    [
        (events(("introduced", "0"), ("fixed", "3.1.7")), True),
        (events(("introduced", "0"), ("fixed", "3.1.6")), False),
        (events(("introduced", "3.1.7")), False),
        (events(("introduced", "3.1.6")), True),
        (events(("introduced", "0"), ("last_affected", "3.1.6")), True),
        (events(("introduced", "0"), ("last_affected", "3.1.5")), False),
        (events(("introduced", "3.0"), ("fixed", "3.0.9"), ("introduced", "3.1"), ("fixed", "3.1.10")), True),
        (events(("introduced", "3.0"), ("fixed", "3.0.9"), ("introduced", "3.2"), ("fixed", "3.10")), False),
        (events(("introduced", "0"), kind="GIT"), False),
        ({"versions": ["3.1.5", "3.1.6"]}, True),
        ({"versions": ["3.1.5"]}, False),
    ],
)
def test_ranges_and_versions(
    load_release: Callable[[str], ModuleType], affected: dict[str, Any], applies: bool
) -> None:
    audit = load_release("audit")
    pins = {"jinja2": audit.Pin("Jinja2", "3.1.6")}
    assert bool(list(audit.applying(advisory(**affected), pins))) == applies
    assert not list(audit.applying(advisory(ecosystem="npm", **affected), pins))
    assert not list(audit.applying(advisory("jinja3", **affected), pins))


def run(advisories: Path, lock: Path) -> tuple[int, str, str]:
    command = [sys.executable, str(RELEASE / "audit.py"), str(advisories), "--lock", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_command_reads_every_form_of_the_file(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("Jinja2==3.1.6 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    hit = advisory("Jinja2", **events(("introduced", "0"), ("fixed", "3.1.7")))
    gone = hit | {"id": "TEST-2", "withdrawn": "2026-01-01T00:00:00Z"}
    (tmp_path / "a.json").write_text(json.dumps([hit, gone]))
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, [hit, gone])))
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("TEST-1.json", json.dumps(hit))
    for name in ("a.json", "b.jsonl", "c.zip"):
        code, said, summary = run(tmp_path / name, lock)
        assert (code, said) == (1, "Jinja2==3.1.6  TEST-1  made by hand  (mended in 3.1.7)\n"), name
        assert summary == "1 pins, 1 advisories read, 1 of them apply\n"
    (tmp_path / "none.json").write_text(json.dumps(advisory("other", **events(("introduced", "0")))))
    assert run(tmp_path / "none.json", lock)[0] == 0
    (tmp_path / "empty.json").write_text("[]")  # nothing read is nothing checked
    assert run(tmp_path / "empty.json", lock)[0] == 1
