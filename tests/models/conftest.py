"""A models home of its own for each test, a hub on the loopback, an index in a folder."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .samples import GGUF, SAFETENSORS, Hub, toml


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty MOLLIA_HOME."""
    folder = tmp_path / "home"
    monkeypatch.setenv("MOLLIA_HOME", str(folder))
    return folder


@pytest.fixture
def catalogued(home: Path) -> Callable[..., None]:
    """Writes the home's own catalogue: the arguments of ``toml``."""

    def write(*arguments: str, **options: object) -> None:
        home.mkdir(exist_ok=True)
        (home / "models.toml").write_text(toml(*arguments, **options), encoding="utf-8")  # type: ignore[arg-type]

    return write


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only place pip looks for packages."""
    folder = tmp_path / "index"
    folder.mkdir()
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """A file that begins as a GGUF file does."""
    path = tmp_path / "Given-Model.Q4.gguf"
    path.write_bytes(GGUF)
    return path


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A folder that looks like an encoder's."""
    folder = tmp_path / "enc"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "notes.md", "pytorch_model.bin"):
        (folder / name).write_bytes(SAFETENSORS if name.endswith(".safetensors") else name.encode())
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
