"""SHA-256 of files; that of a large one is cached as long as the file does not change."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mollia_cli.domain.digest import digest_blocks
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.progress import Progress, silent
from mollia_cli.models.home import home, make_folders, read_json, write_json

_BLOCK = 1 << 20
_SMALL = _BLOCK  # bytes of a file that is read more quickly than it is looked up


def digest(path: Path, progress: Progress = silent, fresh: bool = False) -> str:
    """SHA-256 (hex) of a file.

    A large one is read again only if its size or times have changed since, or with ``fresh``.
    """
    size = path.stat().st_size
    if size > _SMALL and not fresh:
        known = _cached().get(str(path.resolve()), {})
        if known.get("stamp") == _stamp(path):
            return str(known["sha256"])
    sha256 = digest_blocks(_blocks(path, size, progress))
    cache_digest(path, sha256)
    return sha256


def cache_digest(path: Path, sha256: str) -> None:
    """Note a large file's digest, so that it need not be read for it."""
    if path.stat().st_size <= _SMALL:
        return
    everything = {key: value for key, value in _cached().items() if Path(key).exists()}
    everything[str(path.resolve())] = {"stamp": _stamp(path), "sha256": sha256}
    with suppress(OSError):  # a home that cannot be written to makes it slower, no more
        make_folders()
        write_json(_file(), everything)


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _cached() -> dict[str, dict[str, object]]:
    try:
        return read_json(_file())
    except RefusedError:  # only a cache
        return {}


def _file() -> Path:
    return home() / "digests.json"


def _blocks(path: Path, size: int, progress: Progress) -> Iterator[bytes]:
    what, done = f"reading {path.name}", 0
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            done += len(block)
            progress(what, min(done, size), size)
            yield block
