"""Weights of encoders: whether a file is what its name says, before any library reads it.

Format: the safetensors specification (a length, a JSON header, then the tensors without gaps).
"""

import json
from math import prod
from pathlib import Path
from typing import Any

from mollia_cli.domain.errors import RefusedError

_MOST_HEADER = 100_000_000  # the format's own limit
_BYTES = {
    **{"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1},
    **{"U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8},
}


def check_safetensors(path: Path) -> None:
    """RefusedError for a file that is no safetensors, or whose tensors are not where and as long as it says."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        start = handle.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(size - 8, _MOST_HEADER):
            raise _refused(path, "its header is longer than the file", start)
        try:
            header = json.loads(handle.read(length))
            spans = sorted(_span(about) for name, about in header.items() if name != "__metadata__")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise _refused(path, "its header cannot be read", start) from None
    end = 0
    for first, last in spans:
        if first != end:
            raise _refused(path, "its tensors overlap or leave gaps", start)
        end = last
    if 8 + length + end != size:
        raise _refused(path, f"it has {size:,} bytes, its tensors need {8 + length + end:,}", start)


def _span(about: dict[str, Any]) -> tuple[int, int]:
    """First byte and the one after the last; ValueError if that is not what type and shape need."""
    first, last = about["data_offsets"]
    shape = about["shape"]
    if not all(type(number) is int and number >= 0 for number in (first, last, *shape)):
        raise ValueError
    if about["dtype"] in _BYTES and last - first != prod(shape) * _BYTES[about["dtype"]]:
        raise ValueError
    return first, last


def _refused(path: Path, why: str, start: bytes) -> RefusedError:
    if start[:1] == b"\x80" or start[:2] == b"PK":
        why = "it is a pickle, which can run code"
    return RefusedError(f"{path} is no sound safetensors file: {why}", "get it again, from a source that you trust")
