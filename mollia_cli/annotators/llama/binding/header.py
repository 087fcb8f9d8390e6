"""Read a GGUF file's header without loading the model: metadata, tensor table, expected size.

Format: the GGUF specification, versions 2 and 3 (ggml/docs/gguf.md).
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, prod
from pathlib import Path
from typing import Any, BinaryIO

from mollia_cli.domain.errors import NotFoundError, RefusedError

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_MAX_STRING = 64 << 20
_MAX_COUNT = 1 << 24
_MAX_DIMENSIONS = 4
_MAX_ALIGNMENT = 1 << 20

# ggml type -> (name, values per block, bytes per block)
_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """One row of the tensor table; ``bytes`` is 0 for a type this reader does not know."""

    name: str
    type: str
    elements: int
    bytes: int
    offset: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of itself. Array values of the metadata are their lengths, not their contents."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: tuple[Tensor, ...]
    data_start: int

    @property
    def architecture(self) -> str:
        """The model family's name in llama.cpp, e.g. 'qwen2'."""
        return str(self.metadata.get("general.architecture", ""))

    def setting(self, name: str, default: int = 0) -> int:
        """An integer of the architecture's own metadata, e.g. ``block_count``."""
        return self.number(f"{self.architecture}.{name}", default)

    def number(self, key: str, default: int = 0) -> int:
        """A number of the metadata, or an array's length; ``default`` for what is neither."""
        value = self.metadata.get(key, default)
        return int(value) if isinstance(value, int | float) and isfinite(value) else default

    @property
    def expected_size(self) -> int:
        """Bytes that the file must have at least."""
        return self.data_start + max((tensor.offset + tensor.bytes for tensor in self.tensors), default=0)

    @property
    def main_type(self) -> str:
        """The tensor type that holds most of the weights."""
        share: dict[str, int] = {}
        for tensor in self.tensors:
            share[tensor.type] = share.get(tensor.type, 0) + tensor.elements
        return max(share, key=lambda name: share[name], default="")

    def check_whole(self) -> None:
        """RefusedError if the file is shorter than its tensors need (an interrupted copy), or lies of their number."""
        size = self.path.stat().st_size
        if size < self.expected_size:
            raise RefusedError(
                f"{self.path} is cut short: it has {size:,} bytes and needs {self.expected_size:,}",
                "fetch it again (mollia models pull NAME), then: mollia models check",
            )
        layers = self.setting("block_count")
        if not 0 <= layers <= len(self.tensors):
            raise RefusedError(
                f"{self.path} is damaged: it speaks of {layers:,} layers, and holds {len(self.tensors):,} tensors",
                "get it again, from a source that you trust",
            )


def read_header(path: Path) -> Header:
    """Read a GGUF file's header; NotFoundError without a file, RefusedError if it is none or breaks within it."""
    if not path.is_file():
        raise NotFoundError(f"no model file at {path}", "list the installed models: mollia models list")
    found = path.stat()
    return _read(path, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


@lru_cache(maxsize=2)  # memory, load check and binding each ask, and a vocabulary takes a fifth of a second to read
def _read(path: Path, _stamp: tuple[int, ...]) -> Header:
    with path.open("rb") as handle:
        if handle.read(4) != b"GGUF":
            raise RefusedError(f"{path} is no GGUF file", "give the path of a .gguf model file")
        try:
            return _parse(path, handle)
        except (struct.error, EOFError, UnicodeDecodeError, RecursionError) as error:
            raise RefusedError(
                f"{path} ends or breaks within its header ({path.stat().st_size:,} bytes)",
                "fetch it again (mollia models pull NAME), then: mollia models check",
            ) from error


def _parse(path: Path, handle: BinaryIO) -> Header:
    version, tensor_count, value_count = struct.unpack("<IQQ", _take(handle, 20))
    if version not in (2, 3) or tensor_count > _MAX_COUNT or value_count > _MAX_COUNT:
        raise RefusedError(f"{path} has GGUF version {version}, known are 2 and 3", "convert it with llama.cpp")
    metadata: dict[str, Any] = {}
    for _ in range(value_count):
        key = _string(handle)
        metadata[key] = _value(handle, _number(handle, "<I"))
    tensors = tuple(_tensor(handle) for _ in range(tensor_count))
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= _MAX_ALIGNMENT or handle.tell() > path.stat().st_size:
        raise EOFError
    return Header(path, metadata, tensors, -(-handle.tell() // alignment) * alignment)


def _tensor(handle: BinaryIO) -> Tensor:
    name = _string(handle)
    dimensions = _number(handle, "<I")
    if dimensions > _MAX_DIMENSIONS:
        raise EOFError
    shape = [_number(handle, "<Q") for _ in range(dimensions)]
    code = _number(handle, "<I")
    type_name, per_block, block_bytes = _TYPES.get(code, (f"type {code}", 1, 0))
    elements = prod(shape)
    return Tensor(name, type_name, elements, elements // per_block * block_bytes, _number(handle, "<Q"))


def _take(handle: BinaryIO, size: int) -> bytes:
    raw = handle.read(size)
    if len(raw) != size:
        raise EOFError
    return raw


def _number(handle: BinaryIO, form: str) -> int:
    number: int = struct.unpack(form, _take(handle, struct.calcsize(form)))[0]
    return number


def _string(handle: BinaryIO) -> str:
    size = _number(handle, "<Q")
    if size > _MAX_STRING:
        raise EOFError
    return _take(handle, size).decode("utf-8", "replace")


def _value(handle: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(handle)
    if kind == _ARRAY:
        return _array_length(handle)
    if kind not in _SCALARS:
        raise EOFError
    return _number(handle, _SCALARS[kind])


def _array_length(handle: BinaryIO) -> int:
    """Skip an array's contents; a vocabulary of 150,000 strings is of no use here."""
    kind, count = _number(handle, "<I"), _number(handle, "<Q")
    if count > _MAX_COUNT:
        raise EOFError
    if kind in _SCALARS:
        handle.seek(count * struct.calcsize(_SCALARS[kind]), 1)
        return count
    skip: Callable[[BinaryIO], Any] = _string if kind == _STRING else _array_length
    if kind not in (_STRING, _ARRAY):
        raise EOFError
    for _ in range(count):
        skip(handle)
    return count
