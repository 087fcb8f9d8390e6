"""Bundles: what was packed comes out, and nothing comes out of what is not a bundle."""

import ast
import gzip
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mollia_cli import models
from mollia_cli.domain.errors import InputError, MolliaError, NotFoundError, RefusedError
from mollia_cli.models import unbundle
from mollia_cli.models.bundle import pack, unpack

from .samples import GGUF, sha256, wheel

Document = dict[str, Any]
Change = Callable[[Document, list[tuple[tarfile.TarInfo, bytes]]], None]


@pytest.fixture
def packed(home: Path, gguf: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of an LLM, an encoder and a wheel; afterwards the models' home is another, empty one."""
    models.add(gguf, "tiny")
    models.add(encoder, "enc")
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "mollia", {"mollia_cli/x.py": b"x = 1"})
    pack(tmp_path / "out.tar", wheels=folder)
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "other"))
    return tmp_path / "out.tar"


def test_what_was_packed_comes_out(packed: Path, home: Path, tmp_path: Path) -> None:
    found, fresh = unpack(packed, tmp_path / "unpacked")
    assert (found.models, found.wheels, fresh) == (("enc", "tiny"), 1, ["enc", "tiny"])
    assert models.resolve_llm("tiny").path.read_bytes() == GGUF
    assert models.resolve_encoder("enc").is_relative_to(tmp_path / "other")
    assert all(row.state == "ok" for row in models.check())
    (wheel_file,) = (tmp_path / "unpacked").iterdir()
    assert wheel_file.read_bytes() == (tmp_path / "wheels" / wheel_file.name).read_bytes()
    assert not list((tmp_path / "other" / "models").glob(".*"))
    again, fresh = unpack(packed)
    assert (again.sha256, fresh) == (found.sha256, [])


def test_a_bundle_is_a_tar_that_tar_reads(packed: Path) -> None:
    with tarfile.open(packed, "r:") as tar:
        names = tar.getnames()
        program = tar.extractfile("install.py")
        assert program is not None and program.read() == Path(unbundle.__file__).read_bytes()
    assert names[:2] == ["manifest.json", "install.py"]
    assert f"sha256/{sha256(GGUF)}" in names and len(names) == 2 + 1 + 3 + 1


def test_the_program_needs_nothing_but_python() -> None:
    tree = ast.parse(Path(unbundle.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_some_models_and_no_wheels(home: Path, gguf: Path, encoder: Path, tmp_path: Path) -> None:
    models.add(gguf, "tiny")
    models.add(encoder, "enc")
    made = pack(tmp_path / "one.tar", ["enc"])
    assert (made.models, made.wheels) == (("enc",), 0)
    with pytest.raises(RefusedError, match="holds no wheels"):
        unpack(made.path, tmp_path / "wheels")
    with pytest.raises(RefusedError, match="exists already"):
        pack(tmp_path / "one.tar", ["enc"])
    with pytest.raises(NotFoundError, match="'nobody'"):
        pack(tmp_path / "two.tar", ["nobody"])
    with pytest.raises(NotFoundError, match="no wheel") as caught:
        pack(tmp_path / "two.tar", ["enc"], tmp_path)
    assert "pip wheel" in caught.value.hint
    assert not (tmp_path / "two.tar").exists()


def test_a_model_that_has_changed_is_not_packed(home: Path, gguf: Path, tmp_path: Path) -> None:
    models.add(gguf, "tiny")
    (home / "models" / "tiny" / gguf.name).write_bytes(GGUF[:-1] + b"x")
    with pytest.raises(RefusedError, match="sha256") as caught:
        pack(tmp_path / "out.tar")
    assert "models check" in caught.value.hint
    assert [path.name for path in tmp_path.glob("*out*")] == []


def rebuilt(packed: Path, change: Change) -> Path:
    """The bundle with its manifest and members changed."""
    with tarfile.open(packed, "r:") as tar:
        members = [(info, (tar.extractfile(info) or io.BytesIO()).read()) for info in tar]
    document = json.loads(members.pop(0)[1])
    change(document, members)
    out = packed.with_name("changed.tar")
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as tar:
        manifest = json.dumps(document).encode()
        head = tarfile.TarInfo("manifest.json")
        head.size = len(manifest)
        tar.addfile(head, io.BytesIO(manifest))
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out


def promise(path: str, data: bytes = b"evil") -> Change:
    """One more file in the manifest, and its content in the tar."""

    def change(document: Document, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        document["files"][path] = {"size": len(data), "sha256": sha256(data)}
        if f"sha256/{sha256(data)}" not in [info.name for info, _ in members]:
            add(f"sha256/{sha256(data)}", data)(document, members)

    return change


def add(name: str, data: bytes = b"evil", **header: Any) -> Change:
    """One more member of the tar, with whatever its header is to say."""

    def change(document: Document, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for key, value in header.items():
            setattr(info, key, value)
        members.append((info, data))

    return change


def disguised(**header: Any) -> Change:
    """The LLM's member is no plain file; the manifest promises what it would give."""

    def change(document: Document, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        for info, _ in members:
            if info.name == f"sha256/{sha256(GGUF)}":
                for key, value in header.items():
                    setattr(info, key, value)

    return change


def set_file(path: str, **values: Any) -> Change:
    return lambda document, members: document["files"].setdefault(path, {}).update(values)


LLM = "models/tiny/Given-Model.Q4.gguf"
HOSTILE: dict[str, Change] = {
    "parent folder": promise("models/tiny/../../../evil"),
    "parent of all": promise("../evil"),
    "absolute": promise("/tmp/evil"),
    "backslashes": promise("models\\tiny\\evil"),
    "a drive": promise("models/tiny/C:evil"),
    "a dot at the end": promise("models/tiny/evil."),
    "empty part": promise("models/tiny//evil"),
    "elsewhere": promise("evil"),
    "a script among the wheels": promise("wheels/evil.py"),
    "wheels in a folder": promise("wheels/x/evil.whl"),
    "model that is not listed": promise("models/other/evil.gguf"),
    "our own manifest": promise("models/tiny/installed.json"),
    "a file where a folder is": promise(f"{LLM}/evil"),
    "case": promise("models/tiny/given-model.q4.gguf"),
    "not promised": add("models/tiny/evil"),
    "not promised by its digest": add(f"sha256/{sha256(b'evil')}"),
    "another program": add("install.py"),
    "leading out of the tar": add("../evil"),
    "a long name": add("sha256/" + "x" * 120),
    "twice": add(f"sha256/{sha256(GGUF)}", GGUF),
    "symbolic link": disguised(type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "hard link": disguised(type=tarfile.LNKTYPE, linkname="install.py"),
    "device": disguised(type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "pipe": disguised(type=tarfile.FIFOTYPE),
    "folder": disguised(type=tarfile.DIRTYPE),
    "sparse": disguised(type=tarfile.GNUTYPE_SPARSE),
    "extension header": disguised(type=tarfile.XHDTYPE),
    "another digest": set_file(LLM, sha256="0" * 64),
    "no digest": set_file(LLM, sha256=""),
    "another size": set_file(LLM, size=3),
    "negative size": set_file(LLM, size=-1),
    "two sizes of one file": lambda document, members: document["files"].update(
        {"models/tiny/more": {"size": 1, "sha256": sha256(GGUF)}}
    ),
    "missing": lambda document, members: document["files"].update(
        {"models/tiny/more": {"size": 1, "sha256": "0" * 64}}
    ),
    "another format": lambda document, members: document.update(format=2),
    "no models": lambda document, members: document.pop("models"),
    "a list": lambda document, members: document.update(files=[]),
    "a name that leads out": lambda document, members: document["models"].update({"../x": {"kind": "llm"}}),
    "no kind": lambda document, members: document["models"]["tiny"].pop("kind"),
    "a model without files": lambda document, members: document["models"].update(empty={"kind": "llm"}),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_bundle_is_refused_and_writes_nothing(packed: Path, tmp_path: Path, case: str) -> None:
    changed = rebuilt(packed, HOSTILE[case])
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(RefusedError):
        unpack(changed, tmp_path / "unpacked")
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"GGUF", b"\0" * 1024, b"x" * 2048, gzip.compress(b"\0" * 1024)],
    ids=["empty", "short", "zeros", "noise", "gzip"],
)
def test_what_is_no_tar_is_refused(home: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(RefusedError):
        unpack(tmp_path / "x.tar")
    with pytest.raises(NotFoundError, match=r"none\.tar"):
        unpack(tmp_path / "none.tar")
    assert not home.exists()


def test_any_byte_that_changes_or_is_missing_is_seen(packed: Path) -> None:
    data = packed.read_bytes()
    end = len(data.rstrip(b"\0"))
    for place in [*range(0, 512, 9), *range(512, end, 997), end - 1]:
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        packed.write_bytes(changed)
        try:
            same = unbundle.verify(packed).files
        except unbundle.BundleError:
            continue
        # what no digest covers says nothing of the files: owner and time in a tar header, the manifest's own words
        packed.write_bytes(data)
        assert {k: v for k, v in unbundle.verify(packed).files.items() if v.sha256 != same[k].sha256} == {}
    for length in range(0, end, 2000):
        packed.write_bytes(data[:length])
        with pytest.raises(unbundle.BundleError):
            unbundle.verify(packed)


def test_equal_files_and_long_names(home: Path, gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models.add(gguf, "one")
    models.add(gguf, "two")
    folder = tmp_path / "wheels"
    folder.mkdir()
    long = wheel(folder, "mollia", {}).rename(folder / f"mollia-1.0-cp311-cp311-{'manylinux2014_x86_64.' * 8}whl")
    pack(tmp_path / "out.tar", wheels=folder)
    assert (tmp_path / "out.tar").stat().st_size < 2 * len(GGUF) + 40_000
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "other"))
    unpack(tmp_path / "out.tar", tmp_path / "unpacked")
    assert models.installed_names() == ["one", "two"]
    assert (tmp_path / "unpacked" / long.name).read_bytes() == long.read_bytes()


def test_sizes_beyond_octal_digits_are_read() -> None:
    info = tarfile.TarInfo("models/big/x.gguf")
    info.size = 40 << 30
    assert next(unbundle._entries(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT)))) == (info.name, 40 << 30)


def test_a_size_below_zero_does_not_lead_back() -> None:
    info = tarfile.TarInfo("manifest.json")
    info.size = -1024  # base 256, as GNU tar writes it: after this header the walk would begin again
    with pytest.raises(unbundle.BundleError, match="no plain file"):
        next(unbundle._entries(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT))))


LONG_NAMED = tarfile.TarInfo("x" * 120).get_info()
IN_FRONT = {
    "pax, of all": tarfile.TarInfo.create_pax_global_header({"comment": "x"}),
    "pax, of the next": tarfile.TarInfo().create_pax_header(LONG_NAMED, "utf-8")[:1024],
    "GNU's long name": tarfile.TarInfo().create_gnu_header(LONG_NAMED, "utf-8", "strict")[:1024],
}


@pytest.mark.parametrize("kind", IN_FRONT)
def test_an_extension_header_that_tarfile_would_unfold_is_refused(packed: Path, kind: str) -> None:
    packed.write_bytes(IN_FRONT[kind] + packed.read_bytes())
    with tarfile.open(packed, "r:") as tar:
        assert len(tar.getnames()) == 7
    with pytest.raises(RefusedError, match="no plain file"):
        unpack(packed)


def test_a_full_disk_is_said_before_anything_is_written(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = unbundle.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(unbundle.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(RefusedError, match="are needed"):
        unpack(packed)
    assert not (tmp_path / "other" / "models" / "tiny").exists()


def test_another_model_of_that_name(packed: Path, tmp_path: Path) -> None:
    other = tmp_path / "own.gguf"
    other.write_bytes(GGUF + b"more")
    models.add(other, "tiny")
    with pytest.raises(InputError, match="another model is called 'tiny'"):
        unpack(packed)
    assert models.installed_names() == ["tiny"]


def test_a_catalogue_name_is_the_catalogues_model_only(packed: Path) -> None:
    def rename(document: Document, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        name = "smollm2-135m-instruct"
        document["models"][name] = document["models"].pop("tiny")
        document["files"][f"models/{name}/x.gguf"] = document["files"].pop(LLM)

    with pytest.raises(MolliaError, match="not the catalogue's"):
        unpack(rebuilt(packed, rename))
    assert models.installed_names() == []


def test_the_program_refuses_before_it_makes_anything(packed: Path, tmp_path: Path) -> None:
    changed = rebuilt(packed, promise("../evil"))
    command = [sys.executable, "-I", "-S", unbundle.__file__, str(changed), str(tmp_path / "venv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "would lead out" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "venv").exists()
