"""Reading a bundle: verify all of it, then take files out. Also the program ``install.py`` inside every bundle.

Nothing but the standard library is imported, and nothing of mollia: on the other side of the gap there is only a
Python yet. There, ``tar -xf BUNDLE.tar install.py && python3 install.py BUNDLE.tar VENV`` verifies the bundle, installs
its wheels into a new virtual environment without a network, and has the mollia in there install the models.
"""

from __future__ import annotations  # so that an older Python gets as far as to say that it is too old

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

FORMAT = 1
MANIFEST, PROGRAM = "manifest.json", "install.py"
MODELS, WHEELS = "models", "wheels"
NEEDS = "needs"  # of the processor, by Linux's names
OLDEST_PYTHON = (3, 11)
CPUINFO = Path("/proc/cpuinfo")

_CHUNK = 1 << 20
_MOST_MANIFEST = 1 << 24
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BundleError(Exception):
    """A bundle that cannot be used: what is wrong, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class File(NamedTuple):
    """What the manifest promises of a file."""

    size: int
    sha256: str


class Manifest(NamedTuple):
    """files: path -> File; models: name -> what the models' home is to know of it; sha256: the manifest's own."""

    files: dict[str, File]
    models: dict[str, dict[str, str]]
    made: dict[str, str]
    sha256: str

    def within(self, folder: str) -> dict[str, File]:
        """The files below a folder, by their path from there."""
        start = folder + "/"
        return {name[len(start) :]: file for name, file in self.files.items() if name.startswith(start)}


def member(path: str, file: File) -> str:
    """What the tar calls a file: by its content, so that no path of its own can mislead, and none is too long."""
    return path if path == PROGRAM else f"sha256/{file.sha256}"


def verify(bundle: Path) -> Manifest:
    """Read a whole bundle and compare it with its manifest; nothing is written.

    Raises BundleError for anything but a plain tar of regular files that are, by size and SHA-256,
    those of the manifest: links, devices, folders, extension headers, files that are missing,
    double or not named; and for a manifest with paths that would lead elsewhere.
    """
    manifest: Manifest | None = None
    expected: dict[str, int] = {}
    with bundle.open("rb") as handle:
        for name, size in _entries(handle):
            if manifest is None:
                manifest = _manifest(name, size, handle)
                expected = {member(path, file): file.size for path, file in manifest.files.items()}
                continue
            if name not in expected:
                raise _refused(f"{name!r} is not in its manifest, or twice in it")
            if size != expected.pop(name):
                raise _refused(f"{name!r} has another size than the manifest says")
            digest = _digest(handle, size)
            if digest not in (name.removeprefix("sha256/"), manifest.files.get(name, File(0, "")).sha256):
                raise _refused(f"the sha256 of {name!r} is not the manifest's")
    if manifest is None:
        raise _refused("it is empty")
    if expected:
        raise _refused(f"{min(expected)!r} is in its manifest, and not in it")
    return manifest


def extract(bundle: Path, manifest: Manifest, folder: str, into: Path) -> None:
    """Write the files below ``folder`` into the folder ``into``, which must be empty; they are verified again.

    Raises BundleError if the disk has no room or a file is no longer what ``verify`` has read.
    """
    wanted = manifest.within(folder)
    make_room(into, sum(file.size for file in wanted.values()))
    with bundle.open("rb") as handle:
        for name, size in _entries(handle):
            start = handle.tell()
            for path in [path for path, file in wanted.items() if member(path, file) == name]:
                handle.seek(start)
                place = into / path
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as out:
                    found = File(size, _digest(handle, size, out))
                if found != wanted.pop(path):
                    raise _refused(f"{path!r} has changed since it was verified")
    if wanted:
        raise _refused(f"{min(wanted)!r} has gone since it was verified")


def make_room(folder: Path, needed: int) -> None:
    """Raises BundleError if the disk of a folder (which need not exist yet) has not so many bytes free."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise BundleError(
            f"{needed / 1e9:.2f} GB are needed, and {place} has {free / 1e9:.2f} GB free", "free some room"
        )


def check_processor(manifest: Manifest) -> None:
    """BundleError if this processor, as Linux describes it, lacks what the wheels were compiled for."""
    try:
        with CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    except OSError:
        return
    lacking = [flag for flag in manifest.made.get(NEEDS, "").split() if flag not in flags]
    if flags and lacking:
        raise BundleError(
            f"the wheels in the bundle were compiled for a processor that has {', '.join(lacking)}; this one has not",
            "make the bundle again with a portable llama.cpp: README, To a machine without a network",
        )


def install_wheels(wheels: Path, environment: Path) -> None:
    """Install mollia from a folder of wheels into a virtual environment, made if need be; no index is asked."""
    if not (environment / "pyvenv.cfg").is_file():
        try:
            venv.create(environment, with_pip=True)
        except subprocess.CalledProcessError:  # Debian's Python comes without ensurepip
            raise BundleError(
                f"this Python cannot put pip into a virtual environment ({environment})",
                "install the system's package for it (python3-venv), or give an environment that has pip",
            ) from None
    done = subprocess.run(pip_command(wheels, environment), check=False, stdout=sys.stderr)
    if done.returncode:
        raise BundleError(
            f"pip could not install the wheels into {environment} (see above)",
            f"they were made for {describe_python()}? use the Python and the platform that the bundle was made on",
        )


def pip_command(wheels: Path, environment: Path) -> list[str]:
    """What installs mollia from a folder of wheels and from nowhere else."""
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-index"]
    return [*pip, "--find-links", str(wheels), "mollia"]


def describe_python() -> str:
    """The Python that runs and its platform, as a manifest states them."""
    import sysconfig

    return f"Python {sys.version_info[0]}.{sys.version_info[1]} on {sysconfig.get_platform()}"


def _entries(handle: BinaryIO) -> Iterator[tuple[str, int]]:
    """(name, size) of each file of a tar, the handle at its first byte; whoever iterates may read from there.

    tarfile reads each header, and the walk is our own: its walk would follow links, extension headers and sparse
    maps before anybody sees them, of which a bundle has none.
    """
    place = 0
    while True:
        handle.seek(place)
        header = handle.read(tarfile.BLOCKSIZE)
        if len(header) == tarfile.BLOCKSIZE and not any(header):
            return
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise _refused(f"it is cut off, or no tar ({error})") from None
        if info.type != tarfile.REGTYPE or info.linkname or info.size < 0:
            raise _refused(f"{info.name!r} is no plain file (type {info.type!r})")
        yield info.name, info.size
        place += tarfile.BLOCKSIZE + -(-info.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _digest(handle: BinaryIO, size: int, out: BinaryIO | None = None) -> str:
    """SHA-256 of the next ``size`` bytes, which are also written to ``out``."""
    state, left = hashlib.sha256(), size
    while left:
        block = handle.read(min(_CHUNK, left))
        if not block:
            raise _refused("it is cut off")
        left -= len(block)
        state.update(block)
        if out is not None:
            out.write(block)
    return state.hexdigest()


def _manifest(name: str, size: int, handle: BinaryIO) -> Manifest:
    if name != MANIFEST or size > _MOST_MANIFEST:
        raise _refused(f"it does not begin with {MANIFEST}")
    raw = handle.read(size)
    try:
        data = json.loads(raw)
        if data["format"] != FORMAT:
            raise BundleError(
                f"the bundle has format {data['format']!r}, and this mollia reads {FORMAT}",
                "use the mollia that made it",
            )
        files = {str(path): File(found["size"], found["sha256"]) for path, found in data["files"].items()}
        models = {str(model): dict(about) for model, about in data["models"].items()}
        made = {str(key): str(value) for key, value in data["made"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(f"its manifest cannot be read ({type(error).__name__}: {error})") from None
    for path, file in files.items():
        _check(path, file, models)
    folded = {path.casefold() for path in files}
    if len(folded) < len(files):
        raise _refused("two of its paths differ in case alone")
    if any(parent.as_posix() in folded for path in folded for parent in PurePosixPath(path).parents):
        raise _refused("one of its paths is a file and a folder")
    if len(set(files.values())) > len({file.sha256 for file in files.values()}):
        raise _refused("it gives one file two sizes")
    return Manifest(files, models, made, hashlib.sha256(raw).hexdigest())


def _check(path: str, file: File, models: dict[str, Any]) -> None:
    """A path must stay in its folder, on every platform; a size and a digest must be ones."""
    parts = path.split("/")
    if _FORBIDDEN.search(path) or any(part in ("", ".", "..") or part != part.rstrip(". ") for part in parts):
        raise _refused(f"{path!r} would lead out of its folder")
    known = (
        path == PROGRAM
        or (len(parts) == 2 and parts[0] == WHEELS and path.endswith(".whl"))
        or (len(parts) > 2 and parts[0] == MODELS and parts[1] in models)
    )
    if not known:
        raise _refused(f"{path!r} is neither a model's file nor a wheel")
    whole = isinstance(file.size, int) and not isinstance(file.size, bool) and file.size >= 0
    if not whole or not isinstance(file.sha256, str) or not _SHA256.fullmatch(file.sha256):
        raise _refused(f"its manifest has no size and sha256 of {path!r}")


def _refused(why: str) -> BundleError:
    return BundleError(f"the bundle is refused: {why}", "copy it again; if that does not help, make it again")


def main() -> int:
    """``python3 install.py BUNDLE.tar VENV``: the exit status."""
    parser = argparse.ArgumentParser(description="Verify a bundle of mollia and install it; no network is used.")
    parser.add_argument("bundle", type=Path, help="the bundle that this file is from")
    parser.add_argument("venv", type=Path, help="the virtual environment to install into; made if need be")
    given = parser.parse_args()
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise BundleError(f"this is {describe_python()}", "use Python 3.11 or newer")
        manifest = verify(given.bundle)
        print(f"verified {len(manifest.files)} files; the manifest's sha256 is {manifest.sha256}", file=sys.stderr)
        if not manifest.within(WHEELS):
            raise BundleError("the bundle holds no wheels", "install mollia by other means: mollia unbundle FILE")
        check_processor(manifest)
        with tempfile.TemporaryDirectory(dir=given.venv.absolute().parent, prefix=".wheels-") as folder:
            extract(given.bundle, manifest, WHEELS, Path(folder))
            install_wheels(Path(folder), given.venv)
    except BundleError as error:
        print(f"install.py: {error.message}\n  try: {error.hint}", file=sys.stderr)
        return 1
    mollia = Path(pip_command(Path(), given.venv)[0]).with_name("mollia")
    return subprocess.run([str(mollia), "unbundle", str(given.bundle)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
