"""A bundle says what its wheels need of a processor, and is compared with the one that it comes to."""

import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

from mollia_cli.annotators.llama.guard.build import wheel_needs
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.processor import flags
from mollia_cli.machine.bundle import bundle
from mollia_cli.models import unbundle
from mollia_cli.models.bundle import unpack

from .samples import wheel


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with a stand-in for mollia's wheel, and one of llama-cpp-python with the libraries that run here."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "mollia", {"mollia_stand_in.py": b""})
    spec = find_spec("llama_cpp")
    assert spec is not None and spec.origin is not None
    with ZipFile(folder / "llama_cpp_python-1.0-py3-none-any.whl", "w") as archive:
        for file in (Path(spec.origin).parent / "lib").iterdir():
            archive.write(file, f"llama_cpp/lib/{file.name}")
    return folder


@pytest.mark.proof
@pytest.mark.skipif(sys.platform != "linux" or not flags() & {"avx"}, reason="x86 on Linux")
def test_a_wheel_that_was_compiled_here_needs_what_this_processor_has(wheels: Path, tmp_path: Path) -> None:
    made, needs = bundle(tmp_path / "out.tar", wheels=wheels)
    assert needs and set(needs) <= flags()
    assert unbundle.verify(made.path).made[unbundle.NEEDS] == " ".join(needs)
    unbundle.check_processor(unbundle.verify(made.path))


def test_a_portable_wheel_needs_avx2_alone(tmp_path: Path) -> None:
    portable = tmp_path / "llama_cpp_python-1.0-py3-none-any.whl"
    with ZipFile(portable, "w") as archive:
        archive.writestr("llama_cpp/lib/libggml-cpu-haswell.so", b"")
    assert wheel_needs(portable) == ("avx2",)


def test_a_wheel_that_does_not_run_here_needs_nobody_knows_what(tmp_path: Path) -> None:
    foreign = tmp_path / "llama_cpp_python-1.0-py3-none-any.whl"
    with ZipFile(foreign, "w") as archive:
        archive.writestr("llama_cpp/lib/libllama.so", b"no library")
    assert wheel_needs(foreign) == ()


@pytest.mark.proof
def test_an_older_processor_is_told_before_anything_is_installed(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = bundle(tmp_path / "out.tar", wheels=wheels)
    older = tmp_path / "cpuinfo"
    older.write_text("processor\t: 0\nflags\t\t: sse4_2 popcnt\n")
    monkeypatch.setattr(unbundle, "CPUINFO", older)
    if not unbundle.verify(made.path).made[unbundle.NEEDS]:
        pytest.skip("what the wheel needs cannot be told on this system")
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "home"))
    with pytest.raises(RefusedError, match=r"compiled for a processor that has avx.*; this one has not"):
        unpack(made.path, environment=tmp_path / "venv")
    assert not (tmp_path / "venv").exists()
    monkeypatch.setattr(sys, "argv", ["install.py", str(made.path), str(tmp_path / "venv")])
    assert unbundle.main() == 1
    assert not (tmp_path / "venv").exists()
