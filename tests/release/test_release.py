"""The wheel, the source archive and the SBOM: the same bytes every time, and what belongs into them."""

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
EPOCH = "1700000000"


def copied(target: Path, modified: int) -> Path:
    """The files of the package as somebody else's checkout has them, at another time."""
    import os

    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "mollia_cli", target / "mollia_cli", ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target / name)
    for path in target.rglob("*"):
        os.utime(path, (modified, modified))
    return target


@pytest.mark.proof
def test_two_builds_are_the_same_bytes(load_release: Callable[[str], ModuleType], tmp_path: Path) -> None:
    build = load_release("build")
    one, other = (build.build(copied(tmp_path / name, modified), EPOCH) for name, modified in (("a", 1), ("b", 10**9)))
    assert [name.rpartition("-")[2] for name in one] == ["any.whl", "0.1.0.tar.gz"]
    assert one == other
    wheel, archive = one.values()
    names = zipfile.ZipFile(io.BytesIO(wheel)).namelist()
    assert {
        f"mollia_cli/{name}" for name in ("models.toml", "py.typed", "store/schema.sql", "demo/messages.jsonl")
    } <= set(names)
    assert not [name for name in names if name.split("/")[0] not in ("mollia_cli", "mollia-0.1.0.dist-info")]
    with tarfile.open(fileobj=io.BytesIO(archive)) as source:
        assert {(member.mtime, member.uid, member.uname) for member in source.getmembers()} == {(int(EPOCH), 0, "")}


def test_the_digests_are_those_of_the_files(load_release: Callable[[str], ModuleType]) -> None:
    lines = load_release("build").digests({"b": b"", "a": b"abc"})
    assert lines.splitlines() == [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b",
    ]


def test_the_bill_lists_what_is_required_and_nothing_else(load_release: Callable[[str], ModuleType]) -> None:
    sbom = load_release("sbom")
    parts = sbom.closure(sbom.PROJECT)
    bill = sbom.bill(parts, sbom.read_pins(sbom.LOCK))
    names = [part["name"] for part in bill["components"]]
    assert names == sorted(set(names))
    assert {"numpy", "torch", "typer", "mdurl"} <= set(names)  # mdurl: rich -> markdown-it-py -> mdurl
    assert not {"pytest", "ruff", "mypy", "mollia"} & set(names)
    assert bill["metadata"]["component"]["purl"] == "pkg:pypi/mollia@0.1.0"
    by_ref = {edge["ref"]: edge["dependsOn"] for edge in bill["dependencies"]}
    assert set(by_ref) == {part["bom-ref"] for part in [*bill["components"], bill["metadata"]["component"]]}
    assert {ref for edge in by_ref.values() for ref in edge} <= set(by_ref)
    assert bill == sbom.bill(parts, sbom.read_pins(sbom.LOCK))


def test_the_bill_carries_hashes_of_locked_versions_alone(load_release: Callable[[str], ModuleType]) -> None:
    sbom = load_release("sbom")
    part = sbom.distribution("jinja2")
    locked = sbom.Pin("Jinja2", part.version, frozenset({"a" * 64}))
    assert sbom.component("jinja2", part, locked)["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert "hashes" not in sbom.component("jinja2", part, sbom.Pin("Jinja2", "0.1", frozenset({"a" * 64})))
    assert sbom.component("jinja2", part, None)["licenses"]
