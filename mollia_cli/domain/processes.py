"""Other processes of this machine, and what those that were killed have left unfinished."""

import os
from pathlib import Path
from shutil import rmtree


def _runs(pid: int) -> bool:
    """Whether a process with this number runs; where that cannot be known, it does."""
    if os.name != "posix":  # elsewhere, signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as somebody else
        return True
    return True


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
