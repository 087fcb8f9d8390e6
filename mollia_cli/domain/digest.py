"""Identity: canonical JSON and SHA-256."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no white space, so that equal values have equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of ``value``."""
    return digest_text(canonical_json(value))


def digest_text(text: str) -> str:
    """SHA-256 (hex) of UTF-8 text; lone surrogates are kept apart rather than refused."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, read in 1 MiB blocks."""
    with path.open("rb") as handle:
        return digest_blocks(iter(lambda: handle.read(_BLOCK), b""))


def digest_blocks(blocks: Iterable[bytes]) -> str:
    """SHA-256 (hex) of the concatenated blocks."""
    state = hashlib.sha256()
    for block in blocks:
        state.update(block)
    return state.hexdigest()
