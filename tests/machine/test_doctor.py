"""``mollia doctor``: what is used is said, and what is wrong is an exit status."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mollia_cli import models
from mollia_cli.annotators.llama.binding import doctor as engine
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.machine import doctor as work
from mollia_cli.project.context import Project

CPU = (engine.Device("CPU", "a processor", "CPU"),)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "home"))
    return tmp_path


def doctor(*options: str, code: int) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["doctor", "--json", *options])
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_changed_model_file_is_a_problem(home: Path, test_llm: Path) -> None:
    shutil.copy(test_llm, home / "m.gguf")
    models.add(home / "m.gguf")
    found = doctor(code=0)
    [model] = found["models"]
    assert (model["state"], model["kind"]) == ("ok", "llm") and model["memory"] > test_llm.stat().st_size
    with models.resolve_llm(model["name"]).path.open("ab") as handle:
        handle.write(b"and on")
    assert "has changed since it was installed" in doctor(code=1)["problems"][0]


def test_a_model_file_that_is_cut_is_a_problem(home: Path, test_llm: Path) -> None:
    (home / "m.gguf").write_bytes(test_llm.read_bytes()[:20_000_000])
    models.add(home / "m.gguf")
    assert "cut short" in doctor(code=1)["problems"][0]


def test_a_model_that_needs_more_memory_than_is_free_is_a_warning(
    home: Path, test_llm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.add(test_llm, "m")
    monkeypatch.setattr(work, "available", lambda: 2**27)
    assert any(w.startswith("m needs about") and "0.1 GiB are free" in w for w in doctor(code=0)["warnings"])


def test_a_sound_project_and_a_damaged_one(make_real_project: Callable[..., Project]) -> None:
    project = make_real_project()
    at = ("-p", str(project.root))
    assert doctor(*at, code=0)["project"]["state"] == "ok"
    project.store.close()
    database = project.root / "mollia.db"
    connection = sqlite3.connect(database)
    connection.execute("INSERT INTO verdicts VALUES (99, 'nobody', 'x', 1.0, '[]', '[]')")
    connection.commit()
    assert "verdicts: rows with a reference to one that is missing" in doctor(*at, code=1)["problems"][0]
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    raw = bytearray(database.read_bytes())
    raw[4096:12288] = b"\xff" * 8192
    database.write_bytes(raw)
    found = doctor(*at, code=1)
    assert found["project"]["state"] == "damaged" and "restore it from a backup" in found["problems"][0]


def test_an_engine_that_cannot_be_guarded_is_named(make_real_project: Callable[..., Project]) -> None:
    settings = make_real_project().root / "mollia.toml"
    at = ("-p", str(settings.parent))
    assert not any("cannot see" in warning for warning in doctor(*at, code=0)["warnings"])
    settings.write_text(settings.read_text().replace('engine = "local"', 'engine = "ray"'))
    assert any("sockets the network guard cannot see" in warning for warning in doctor(*at, code=0)["warnings"])


def test_a_folder_that_is_no_project_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "-p", str(tmp_path)])
    assert isinstance(result.exception, NotFoundError) and str(tmp_path) in result.exception.message


def test_little_room_on_the_disk_is_a_warning(
    make_real_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "disk_free", lambda folder: 2**28)
    assert any("0.2 GiB free" in warning for warning in doctor("-p", str(make_real_project().root), code=0)["warnings"])


def test_an_empty_home_is_a_warning(home: Path) -> None:
    found = doctor(code=0)
    assert any("no LLM is installed" in warning for warning in found["warnings"])
    assert found["engine"]["system"]["CPU"]


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
    monkeypatch.setattr(engine, "devices", lambda: (*CPU, engine.Device("CUDA0", "", "GPU")))
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
