"""``mollia doctor``: what is used is said, and what is wrong is an exit status."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mollia_cli import models
from mollia_cli.annotators.gguf import doctor as engine
from mollia_cli.cli.main import app

CPU = [{"name": "CPU", "description": "a processor", "type": "CPU"}]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "home"))
    return tmp_path


def doctor(*, code: int) -> dict[str, object]:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == code, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_a_changed_model_file_is_a_problem(home: Path) -> None:
    (home / "m.gguf").write_bytes(b"GGUF and so on")
    models.add(home / "m.gguf")
    found = doctor(code=0)
    assert [model["state"] for model in found["models"]] == ["ok"]  # type: ignore[attr-defined]
    models.resolve_llm("m").path.write_bytes(b"GGUF and so on and on")
    found = doctor(code=1)
    assert "has changed since it was installed" in found["problems"][0]  # type: ignore[index]


def test_an_empty_home_is_a_warning(home: Path) -> None:
    found = doctor(code=0)
    assert any("no LLM is installed" in warning for warning in found["warnings"])  # type: ignore[attr-defined]
    assert found["engine"]["system"]["CPU"]  # type: ignore[index]


def test_an_engine_that_cannot_be_loaded_is_a_problem(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("libllama.so: cannot open shared object file")

    monkeypatch.setattr(engine, "lib", broken)
    assert "libllama.so" in str(doctor(code=1)["problems"])


def test_a_gpu_that_is_not_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "devices", lambda: CPU)
    monkeypatch.setattr(engine, "_GPUS", {str(tmp_path): ("an NVIDIA", "-DGGML_CUDA=on")})
    assert "built without it" in engine.unused_gpu()
    assert "GGML_CUDA" in engine.unused_gpu()
    monkeypatch.setattr(engine, "_GPUS", {})
    assert engine.unused_gpu() == ""
    monkeypatch.setattr(engine, "devices", lambda: [*CPU, {"name": "CUDA0", "description": "", "type": "GPU"}])
    monkeypatch.setattr(engine, "_GPUS", {str(tmp_path): ("an NVIDIA", "-DGGML_CUDA=on")})
    assert engine.unused_gpu() == ""


def test_a_gpu_build_without_a_device_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Built:
        def llama_supports_gpu_offload(self) -> bool:
            return True

    monkeypatch.setattr(engine, "devices", lambda: CPU)
    monkeypatch.setattr(engine, "lib", Built)
    monkeypatch.setattr(engine, "_GPUS", {})
    assert "can use none here" in engine.unused_gpu()
