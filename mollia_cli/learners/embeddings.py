"""What an encoder makes of texts, kept between runs: each text is read once.

A folder holds parts (safetensors): digests of texts and their vectors, float32. A part appears whole or not at all,
and is never changed; what is killed loses the part in flight. One that is damaged is passed over.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mollia_cli.domain.files import new_file

Vectors = NDArray[np.float32]
KEY_BYTES = 16
PART = 512  # texts: what an interruption loses at most, and what is read again with one that is forgotten
_SUFFIX = ".safetensors"


def text_key(text: str) -> bytes:
    """What a text is found by in side files."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=KEY_BYTES).digest()


class EmbeddingStore:
    """Vectors of texts in ``folder``, which is one encoder's and one way of reading; None keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def missing(self, texts: Sequence[str]) -> list[str]:
        """The distinct texts that would have to be read, the longest first."""
        known = self._index()
        new = {key: text for text in texts if (key := text_key(text)) not in known}
        return sorted(new.values(), key=len, reverse=True)

    def get(self, texts: Sequence[str], read: Callable[[Sequence[str]], Vectors]) -> Vectors:
        """[n, ...] float32, rows as in ``texts``; ``read`` makes them of at most ``PART`` texts at a time."""
        if not texts:
            return read(texts)
        new = self.missing(texts)
        made: dict[bytes, Vectors] = {}
        for start in range(0, len(new), PART):
            part = new[start : start + PART]
            vectors = read(part)
            keys = [text_key(text) for text in part]
            made |= dict(zip(keys, vectors, strict=True))
            self._write(keys, vectors)
        return self._gather([text_key(text) for text in texts], made)

    def _gather(self, keys: Sequence[bytes], made: dict[bytes, Vectors]) -> Vectors:
        rows: list[Vectors | None] = [made.get(key) for key in keys]
        index = self._index() if any(row is None for row in rows) else {}
        wanted: dict[Path, list[int]] = {}
        for place, row in enumerate(rows):
            if row is None:
                wanted.setdefault(index[keys[place]][0], []).append(place)
        for path, places in wanted.items():
            with safe_open(path, framework="numpy") as part:
                vectors = part.get_tensor("vectors")
            for place in places:
                rows[place] = vectors[index[keys[place]][1]]
        return np.stack([row for row in rows if row is not None])

    def _index(self) -> dict[bytes, tuple[Path, int]]:
        """Where each text's vector is."""
        found: dict[bytes, tuple[Path, int]] = {}
        for path in _parts(self._folder) if self._folder is not None else ():
            with suppress(SafetensorError, OSError):
                found |= {key: (path, row) for row, key in enumerate(_keys(path))}
        return found

    def _write(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        if self._folder is None:
            return
        self._folder.parent.mkdir(mode=0o700, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        name = blake2b(b"".join(keys), digest_size=KEY_BYTES).hexdigest()
        with new_file(self._folder / f"{name}{_SUFFIX}") as unfinished:
            packed = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, KEY_BYTES)
            save_file({"keys": packed, "vectors": vectors}, unfinished)


def forget_texts(folder: Path, texts: Iterable[str]) -> Iterator[Path]:
    """Delete every part, of any encoder under ``folder``, that holds one of the texts, is damaged or unfinished."""
    gone = {text_key(text) for text in texts}
    for path in sorted(folder.rglob(f"*{_SUFFIX}*")):
        with suppress(SafetensorError, OSError):
            if path.suffix == _SUFFIX and gone.isdisjoint(_keys(path)):
                continue
        path.unlink()
        yield path


def _parts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{_SUFFIX}") if not path.name.startswith("."))


def _keys(path: Path) -> list[bytes]:
    with safe_open(path, framework="numpy") as part:
        return [row.tobytes() for row in part.get_tensor("keys")]
