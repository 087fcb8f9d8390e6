"""A bundle that changes after it was verified gives nothing."""

from pathlib import Path

import pytest

from mollia_cli import models
from mollia_cli.domain.errors import RefusedError
from mollia_cli.models import unbundle
from mollia_cli.models.bundle import pack, unpack
from mollia_cli.models.unbundle import BundleError

from .samples import GGUF, sha256


@pytest.fixture
def packed(home: Path, gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of one LLM; afterwards the models' home is another, empty one."""
    models.add(gguf, "tiny")
    pack(tmp_path / "out.tar")
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "other"))
    return tmp_path / "out.tar"


def alter(bundle: Path) -> None:
    """One bit of the model's content."""
    data = bytearray(bundle.read_bytes())
    data[data.index(GGUF) + 100] ^= 1
    bundle.write_bytes(data)


def take_out(bundle: Path) -> None:
    """The model's file and its header."""
    data = bundle.read_bytes()
    start = data.index(f"sha256/{sha256(GGUF)}".encode())
    stored = 512 + -(-len(GGUF) // 512) * 512
    bundle.write_bytes(data[:start] + data[start + stored :])


@pytest.mark.parametrize(("change", "words"), [(alter, "has changed since"), (take_out, "has gone since")])
def test_what_changes_between_verifying_and_extracting_is_refused(
    packed: Path, tmp_path: Path, change: object, words: str
) -> None:
    manifest = unbundle.verify(packed)
    assert callable(change)
    change(packed)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(BundleError, match=words):
        unbundle.extract(packed, manifest, "models/tiny", into)


def test_nothing_of_it_is_installed(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = unbundle.verify

    def verify_then_change(bundle: Path) -> unbundle.Manifest:
        manifest = sound(bundle)
        alter(bundle)
        return manifest

    monkeypatch.setattr(unbundle, "verify", verify_then_change)
    with pytest.raises(RefusedError, match="has changed since it was verified"):
        unpack(packed)
    assert models.installed_names() == []
