"""Unfinished files of processes that were killed: named after the process, so that others know them."""

import os
from pathlib import Path
from shutil import rmtree


def sweep(folder: Path, pattern: str) -> None:
    """Remove what matches ``pattern``, whose ``*`` begins with a process's id, where that process has ended."""
    before, _, _ = pattern.partition("*")
    for left in folder.glob(pattern):
        pid = left.name.removeprefix(before).replace(".", "-").partition("-")[0]
        if not pid.isdigit() or _runs(int(pid)):
            continue
        if left.is_dir():
            rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    if os.name != "posix":  # elsewhere, signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as somebody else
        return True
    return True
