"""Files and folders that appear whole or not at all, open to their owner alone."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.processes import sweep

_UNFINISHED = ".part"


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A file (0600) beside ``target`` to write; at the end it takes its place, after an error it is gone.

    What killed processes have left of the same file goes first. OSError where there is no room or no right.
    """
    unfinished = _beside(target)
    with _about(target):
        os.close(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
    try:
        yield unfinished
        unfinished.chmod(0o600)  # a library may have made another file of it
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """As ``new_file``, an empty folder (0700); ``target`` must not be there at the end, or be empty."""
    unfinished = _beside(target)
    with _about(target):
        rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
    try:
        yield unfinished
        unfinished.replace(target)
    finally:
        rmtree(unfinished, ignore_errors=True)


def write_private(path: Path, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all, readable by its owner only."""
    with new_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def _beside(target: Path) -> Path:
    before = f".{target.name}."
    with _about(target):
        sweep(target.parent, before, _UNFINISHED)
    return target.with_name(f"{before}{os.getpid()}{_UNFINISHED}")


@contextmanager
def _about(target: Path) -> Iterator[None]:
    """An error names the file that a person has asked for."""
    try:
        yield
    except OSError as error:
        error.filename = str(target)
        raise


def link_or_copy(source: Path, target: Path) -> None:
    """A new name of a file that nobody changes; its content once more where the file system has no such names."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def lock(handle: int, wait: bool = False) -> bool:
    """Lock an open file unless somebody has, or ``wait`` for it; the system unlocks it when it is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 1 << 60, os.SEEK_SET)  # behind what is written, which others may then read
            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def check_local(name: str) -> None:
    """InputError for an address where a file is wanted (a Path has one slash of it only)."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", name):
        raise InputError(
            f"{re.sub(':/+', '://', name, count=1)} is an address, and mollia reads files of this machine only",
            "fetch it first, for example with curl -LO, then give the file",
        )
