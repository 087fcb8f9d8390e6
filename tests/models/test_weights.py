"""Weights that are not what their name says, refused before any library opens them."""

import json
import struct
from pathlib import Path

import pytest

from mollia_cli import models
from mollia_cli.domain.errors import RefusedError
from mollia_cli.models.weights import check_safetensors

from .samples import SAFETENSORS

WHOLE = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


def written(header: object, data: int = 16, length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + bytes(data)


def test_sound_weights(tmp_path: Path, test_encoder: Path) -> None:
    check_safetensors(test_encoder / "model.safetensors")
    path = tmp_path / "w.safetensors"
    path.write_bytes(written({"__metadata__": {"format": "pt"}, "w": WHOLE}))
    check_safetensors(path)
    path.write_bytes(path.read_bytes()[:-1])  # one byte less, and it is no longer sound
    with pytest.raises(RefusedError):
        check_safetensors(path)


LIES = {
    "empty": b"",
    "a length beyond the file": written({"w": WHOLE}, length=10_000),
    "a length of all the memory": written({"w": WHOLE}, length=2**63),
    "no JSON": written(b"{"),
    "no object": written([1]),
    "nested without end": written(b"[" * 100_000),
    "no shape": written({"w": {"dtype": "F32", "data_offsets": [0, 16]}}),
    "a shape that needs more": written({"w": {**WHOLE, "shape": [2, 3]}}),
    "a negative size": written({"w": {**WHOLE, "shape": [-2, -2]}}),
    "an offset beyond the file": written({"w": {**WHOLE, "shape": [2**40], "data_offsets": [0, 2**42]}}),
    "offsets that are no numbers": written({"w": {**WHOLE, "data_offsets": ["0", "16"]}}),
    "tensors over one another": written({"w": WHOLE, "v": WHOLE}),
    "a gap": written({"w": {**WHOLE, "data_offsets": [4, 20]}}, data=20),
    "something behind": SAFETENSORS + b"\0",
    "cut": SAFETENSORS[:-1],
}


@pytest.mark.parametrize("lie", LIES)
def test_lying_sizes_are_refused(tmp_path: Path, lie: str) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(LIES[lie])
    with pytest.raises(RefusedError, match=r"w\.safetensors is no sound safetensors file"):
        check_safetensors(path)


@pytest.mark.parametrize("start", [b"\x80\x04\x95", b"PK\x03\x04"])
def test_a_pickle_in_disguise_is_refused_and_nothing_is_installed(home: Path, encoder: Path, start: bytes) -> None:
    (encoder / "model.safetensors").write_bytes(start + bytes(100))
    for use in (models.add, models.resolve_encoder):
        with pytest.raises(RefusedError, match="it is a pickle, which can run code"):
            use(encoder if use is models.add else str(encoder))  # type: ignore[operator]
    assert models.installed_names() == []
