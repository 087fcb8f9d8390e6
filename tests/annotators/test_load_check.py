"""A stranger's model file is loaded in a process of its own first."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from mollia_cli import models
from mollia_cli.annotators.llama import GgufAnnotator
from mollia_cli.annotators.llama.guard import child
from mollia_cli.annotators.llama.guard.build import engine_stamp
from mollia_cli.annotators.llama.guard.load_check import check_load
from mollia_cli.domain.errors import MolliaError, RefusedError
from mollia_cli.domain.prompting import Decoding
from mollia_cli.machine.bench import bench
from mollia_cli.machine.doctor import doctor
from mollia_cli.project import kernels as project_kernels

from .oracle import LABELS, PROMPT

Patch = Callable[..., Path]
EPSILON = "llama.attention.layer_norm_rms_epsilon"


@pytest.fixture
def patched(shallow_llm: Path, tmp_path: Path) -> Patch:
    """The shallow LLM with another number in its metadata."""

    def patch(key: str, form: str, value: float) -> Path:
        raw = bytearray(shallow_llm.read_bytes())
        named = struct.pack("<Q", len(key)) + key.encode()
        struct.pack_into(form, raw, raw.index(named) + len(named) + 4, value)
        path = tmp_path / "patched.gguf"
        path.write_bytes(raw)
        return path

    return patch


# Put before every process that a load check starts: the quickest kernels fail there as {failure} says.
_BROKEN_KERNELS = """
import os, signal
from mollia_cli.annotators.llama.binding import llama
open_model, read_logits, quick = llama.Model.__init__, llama.Context.logits, []
def opened(self, path, *, extra_buffers=True, **rest):
    open_model(self, path, extra_buffers=extra_buffers, **rest)
    quick[:] = [True] if extra_buffers else []
def logits(self, index):
    found = read_logits(self, index)
    if quick or {everywhere}:
        {failure}
    return found
llama.Model.__init__, llama.Context.logits = opened, logits
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models' home."""
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes llama.cpp's quickest kernels (or ``everywhere`` all) fail in load checks."""

    def break_kernels(failure: str, everywhere: bool = False) -> None:
        code = _BROKEN_KERNELS.format(failure=failure, everywhere=everywhere)
        (tmp_path / "sitecustomize.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return break_kernels


@pytest.mark.proof
def test_a_sound_file_is_checked_once(shallow_llm: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[Path] = []
    monkeypatch.setattr(project_kernels, "check_load", lambda path: checked.append(path) or check_load(path))
    file = models.resolve_llm(str(shallow_llm))
    kernels = project_kernels.file_kernels(file)
    assert kernels.extra_buffers and "=" in kernels.system
    assert project_kernels.file_kernels(file) == kernels
    assert checked == [shallow_llm]
    (home / "engine-facts.json").write_text("[")  # damaged: only a cache
    project_kernels.file_kernels(file)
    monkeypatch.setattr(project_kernels, "engine_stamp", lambda: "another build, or another processor")
    project_kernels.file_kernels(file)
    assert checked == [shallow_llm] * 3


@pytest.mark.proof
@pytest.mark.parametrize(
    "failure",
    ["os.kill(os.getpid(), signal.SIGSEGV)", "os.kill(os.getpid(), signal.SIGILL)", "found[:] = found[::-1].copy()"],
    ids=["crash", "unknown instruction", "other numbers"],
)
def test_kernels_that_fail_on_this_processor_are_left_out(
    failure: str, broken: Callable[..., None], shallow_llm: Path, home: Path
) -> None:
    """As AMX does (llama.cpp #20824): the file is good, and is read with the kernels that work."""
    file, said = models.resolve_llm(str(shallow_llm)), []
    sound = GgufAnnotator("x", file.path, LABELS, PROMPT, Decoding(), model_digest=file.sha256)
    broken(failure)
    kernels = project_kernels.file_kernels(file, said.append)
    assert not kernels.extra_buffers
    assert len(said) == 1 and "quickest kernels do not work on this processor" in said[0] and "pip install" in said[0]
    assert project_kernels.file_kernels(file, said.append) == kernels and len(said) == 1
    plain = GgufAnnotator("x", file.path, LABELS, PROMPT, Decoding(), model_digest=file.sha256, kernels=lambda: kernels)
    assert plain.identity != sound.identity and plain.identity["extra_buffers"] is False
    assert bench(str(shallow_llm), limit=1, threads=1).texts == 1


def test_a_build_for_another_processor_is_a_sentence(
    broken: Callable[..., None], shallow_llm: Path, home: Path
) -> None:
    broken("os.kill(os.getpid(), signal.SIGILL)", everywhere=True)
    with pytest.raises(RefusedError, match="compiled for another processor than this one") as caught:
        bench(str(shallow_llm), limit=1, threads=1)
    assert "SIGILL" not in caught.value.message and "pip install --force-reinstall" in caught.value.hint


def test_a_library_that_does_not_even_start_here_is_a_sentence(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import os, signal, sys\nif 'build' in ' '.join(sys.orig_argv): os.kill(os.getpid(), signal.SIGILL)\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = doctor()
    assert not found.ok and "compiled for another processor" in found.problems[0]


@pytest.mark.proof
def test_a_file_that_crashes_the_engine_is_a_message(patched: Patch, home: Path) -> None:
    """Had it been loaded here, this test run would be over."""
    path = patched(EPSILON, "<f", float("nan"))  # a failed assertion in llama.cpp ends the process
    with pytest.raises(RefusedError, match=r"patched\.gguf crashes llama\.cpp .* was ended by SIGABRT") as caught:
        bench(str(path), limit=1, threads=1)
    assert "GGML_ASSERT" in caught.value.message and "source that you trust" in caught.value.hint
    assert models.resolve_llm(str(path)).sha256 not in models.engine_facts(engine_stamp())


@pytest.mark.parametrize(
    ("key", "form", "value", "said"),
    [
        ("llama.attention.head_count", "<I", 0, "wrong shape"),
        ("llama.block_count", "<I", 2**31, "2,147,483,648 layers"),
        ("llama.rope.freq_base", "<f", 0.0, "computes no numbers"),
    ],
)
def test_nonsense_is_refused(patched: Patch, key: str, form: str, value: float, said: str) -> None:
    with pytest.raises(MolliaError, match=said) as caught:
        check_load(patched(key, form, value))
    assert caught.value.exit_code == RefusedError.exit_code


def test_truncated_tensors_are_refused_without_a_load_check(shallow_llm: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(shallow_llm.read_bytes()[:-1])
    with pytest.raises(RefusedError, match="is cut short"):
        check_load(path)


def test_how_a_child_can_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kid.py").write_text(
        "import os, signal, sys, time\n"
        "from mollia_cli.annotators.llama.guard.child import answer\n"
        "from mollia_cli.domain.errors import RefusedError\n"
        "def work(request):\n"
        "    what = request['what']\n"
        "    if what == 'refuse': raise RefusedError('no', 'yes')\n"
        "    if what == 'sleep': time.sleep(60)\n"
        "    if what == 'raise': raise ValueError('odd')\n"
        "    if what.startswith('SIG'): os.kill(os.getpid(), getattr(signal, what))\n"
        "    return {'pid': os.getpid()}\n"
        "answer(work)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert child.call("kid", {"what": ""}, 60)["pid"] != os.getpid()
    with pytest.raises(MolliaError, match="no") as refused:
        child.call("kid", {"what": "refuse"}, 60)
    assert (refused.value.hint, refused.value.exit_code) == ("yes", RefusedError.exit_code)
    with pytest.raises(child.ChildError, match="took more than 0 seconds"):
        child.call("kid", {"what": "sleep"}, 0.4)
    with pytest.raises(child.ChildError, match="failed: ValueError: odd"):
        child.call("kid", {"what": "raise"}, 60)
    with pytest.raises(child.ChildError, match="was ended by SIGSEGV"):
        child.call("kid", {"what": "SIGSEGV"}, 60)
    with pytest.raises(child.ChildError, match="was ended by SIGKILL") as killed:
        child.call("kid", {"what": "SIGKILL"}, 60)
    assert killed.value.memory
