"""What encoders make of texts, kept between runs: each text is read once.

A folder belongs to one encoder and one way of reading. ``keys`` holds the texts' digests and ``vectors.SHAPE.KIND``
their vectors, in the same order; a key of zeros is a text that was forgotten. The vectors are mapped into memory, so
that those of a million texts need none of their own. Vectors are written before their keys, and what stands behind the
last key is overwritten: what is killed loses the part in flight and nothing else. Of a file that was cut, the rest
counts.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mollia_cli.domain.files import lock

Vectors = NDArray[np.floating[Any]]
Read = Callable[[Sequence[str]], Vectors]
Keeps = Callable[[str], bool]
KEY_BYTES = 16
PART = 512  # texts: what an interruption loses at most
AT_ONCE = 4096  # texts whose vectors are looked at together, where there are many
HALF = "float16"
_FORGOTTEN = bytes(KEY_BYTES)
_KEYS, _VECTORS = "keys", "vectors"


def text_key(text: str) -> bytes:
    """What a text is found by in side files."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=KEY_BYTES).digest()


class EmbeddingStore:
    """Vectors of texts in ``folder``; None keeps nothing.

    keeps: which texts' vectors are added (None: all). kind: of the numbers. Half precision, the default, changes
    probabilities by less than reading the same texts in another order does, in bfloat16 (benchmarks/README.md). A
    vector that is not kept is rounded as well, so that it is the same.
    """

    def __init__(self, folder: Path | None, keeps: Keeps | None = None, kind: str = HALF) -> None:
        self._folder = folder
        self._keeps = keeps
        self._kind = kind
        self._rows: dict[bytes, int] = {}
        self._kept: Vectors = np.zeros((0, 0), kind)
        self._stamp: tuple[int, int, int] | None = None

    def missing(self, texts: Sequence[str]) -> list[str]:
        """The distinct texts that would have to be read, the longest first."""
        known = self._index()
        new = {key: text for text in texts if (key := text_key(text)) not in known}
        return sorted(new.values(), key=len, reverse=True)

    def parts(self, texts: Sequence[str], read: Read, size: int) -> Iterator[Vectors]:
        """What ``get`` gives of ``size`` texts after the other; where all are kept, they are read before the first."""
        if self._folder is not None and self._keeps is None:
            self._read(self.missing(texts), read)
        for start in range(0, len(texts) or 1, size):
            yield self.get(texts[start : start + size], read)

    def get(self, texts: Sequence[str], read: Read) -> Vectors:
        """[n, ...] of ``kind``, rows as in ``texts``; ``read`` makes them of at most ``PART`` texts at a time."""
        if not texts:
            return read(texts).astype(self._kind)
        made = self._read(self.missing(texts), read)
        index = self._index()
        keys = [text_key(text) for text in texts]
        return np.stack([made[key] if key in made else self._kept[index[key]] for key in keys])

    def _read(self, texts: Sequence[str], read: Read) -> dict[bytes, Vectors]:
        """Read texts and keep their vectors; those that are not to be kept are returned."""
        made: dict[bytes, Vectors] = {}
        for start in range(0, len(texts), PART):
            part = texts[start : start + PART]
            keys, vectors = [text_key(text) for text in part], _rounded(read(part), self._kind)
            keep = np.array([self._folder is not None and (not self._keeps or self._keeps(text)) for text in part])
            if keep.any():
                self._append([key for key, kept in zip(keys, keep, strict=True) if kept], vectors[keep])
            made |= {key: row for key, row, kept in zip(keys, vectors, keep, strict=True) if not kept}
        return made

    def _index(self) -> dict[bytes, int]:
        """The row of each text's vector; read again when another process has changed the file."""
        if self._folder is not None and self._stamp != (now := _stamp(self._folder)):
            self._kept = _mapped(self._folder, self._kind)
            keys = _keys(self._folder)[: len(self._kept)]
            self._rows, self._stamp = {key: row for row, key in enumerate(keys) if key != _FORGOTTEN}, now
        return self._rows

    def _append(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        assert self._folder is not None
        for parent in reversed([self._folder, *self._folder.parents]):
            if not parent.exists():
                parent.mkdir(mode=0o700, exist_ok=True)
        shape = "x".join(map(str, vectors.shape[1:]))
        with _locked(self._folder) as folder:
            known = self._index()
            path = folder / f"{_VECTORS}.{shape}.{self._kind}"
            before = _whole(folder)
            os.truncate(folder / _KEYS, before * KEY_BYTES)  # first: no key that is left over names what is written now
            _write(path, before * vectors[0].nbytes, vectors.tobytes())
            _write(folder / _KEYS, before * KEY_BYTES, b"".join(keys))
            known |= zip(keys, range(before, before + len(keys)), strict=True)
            self._kept, self._stamp = _mapped(folder, self._kind), _stamp(folder)


def forget_texts(folder: Path, texts: Iterable[str]) -> Iterator[Path]:
    """Overwrite what was kept of some texts with zeros, by every encoder under ``folder``: the files that held it."""
    gone = {text_key(text) for text in texts}
    for path in sorted(folder.rglob(_KEYS)):
        with _locked(path.parent) as found:
            keys = _keys(found)
            rows = [row for row, key in enumerate(keys) if key in gone]
            for row in rows:
                _write(path, row * KEY_BYTES, _FORGOTTEN)
            # also of those whose keys were overwritten by what was killed then, and of what was never finished
            for vectors in found.glob(f"{_VECTORS}.*"):
                size = _row_bytes(vectors)
                os.truncate(vectors, _whole(found) * size)
                for row in rows + [row for row, key in enumerate(keys[: _whole(found)]) if key == _FORGOTTEN]:
                    _write(vectors, row * size, bytes(size))
            if rows:
                yield path


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Within, no other process writes there. The file of the lock is the keys'."""
    handle = os.open(folder / _KEYS, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock(handle, wait=True)
        yield folder
    finally:
        os.close(handle)


def _write(path: Path, at: int, data: bytes) -> None:
    """Write there, and on the disk, before anything is written after it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as file:
        file.seek(at)
        file.write(data)
        file.flush()
        os.fsync(handle)


def _stamp(folder: Path) -> tuple[int, int, int] | None:
    """What changes with the keys; None before there are any."""
    try:
        found = (folder / _KEYS).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _keys(folder: Path) -> list[bytes]:
    raw = (folder / _KEYS).read_bytes() if (folder / _KEYS).is_file() else b""
    return [raw[at : at + KEY_BYTES] for at in range(0, len(raw) - KEY_BYTES + 1, KEY_BYTES)]


def _mapped(folder: Path, kind: str) -> Vectors:
    """[rows, ...] the vectors that have a key."""
    rows = _whole(folder)
    if not rows:
        return np.zeros((0, 0), kind)
    path = next(folder.glob(f"{_VECTORS}.*"))
    return np.asarray(np.memmap(path, kind, "r", shape=(rows, *_shape(path))))


def _whole(folder: Path) -> int:
    """How many texts have both a key and a vector."""
    sizes = [path.stat().st_size // _row_bytes(path) for path in folder.glob(f"{_VECTORS}.*")]
    stamp = _stamp(folder)
    return min([stamp[2] // KEY_BYTES, *sizes]) if stamp and sizes else 0


def _row_bytes(path: Path) -> int:
    return prod(_shape(path)) * np.dtype(path.name.split(".")[2]).itemsize


def _shape(path: Path) -> tuple[int, ...]:
    """Of one text's vector, as the file's name says."""
    return tuple(int(size) for size in path.name.split(".")[1].split("x"))


def _rounded(vectors: Vectors, kind: str) -> Vectors:
    """The nearest number of that kind; what is larger than its largest becomes that."""
    most = np.finfo(kind).max
    return np.clip(vectors, -most, most).astype(kind)
