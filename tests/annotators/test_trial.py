"""A stranger's model file is loaded in a process of its own first."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from mollia_cli import models
from mollia_cli.annotators.gguf import child
from mollia_cli.annotators.gguf.trial import try_file
from mollia_cli.domain.errors import MolliaError, RefusedError
from mollia_cli.workflow import trial
from mollia_cli.workflow.bench import bench

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


def test_a_sound_file_is_tried_once(shallow_llm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "home"))
    tried: list[Path] = []
    monkeypatch.setattr(trial, "try_file", lambda path: tried.append(path) or try_file(path))
    file = models.resolve_llm(str(shallow_llm))
    trial.try_once(file)
    trial.try_once(file)
    assert tried == [shallow_llm]
    (tmp_path / "home" / "trials.json").write_text("[")  # damaged: only a cache
    monkeypatch.setattr(trial, "try_file", tried.append)
    trial.try_once(file)
    assert tried == [shallow_llm] * 2 and models.has_passed(file.sha256, trial.engine_build())
    assert not models.has_passed(file.sha256, "another engine")


def test_a_file_that_crashes_the_engine_is_a_message(
    patched: Patch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Had it been loaded here, this test run would be over."""
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "home"))
    path = patched(EPSILON, "<f", float("nan"))  # a failed assertion in llama.cpp ends the process
    with pytest.raises(RefusedError, match=r"patched\.gguf crashes llama\.cpp: .* was ended by SIGABRT") as caught:
        bench(str(path), limit=1, threads=1)
    assert "GGML_ASSERT" in caught.value.message and "source that you trust" in caught.value.hint
    assert not (tmp_path / "home" / "trials.json").exists()


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
        try_file(patched(key, form, value))
    assert caught.value.exit_code == RefusedError.exit_code


def test_truncated_tensors_are_refused_without_a_trial(shallow_llm: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(shallow_llm.read_bytes()[:-1])
    with pytest.raises(RefusedError, match="is cut short"):
        try_file(path)


def test_how_a_child_can_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kid.py").write_text(
        "import os, signal, sys, time\n"
        "from mollia_cli.annotators.gguf.child import answer\n"
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
