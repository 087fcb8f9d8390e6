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


def sweep(folder: Path, before: str, after: str = "") -> None:
    """Remove what is called ``before``, a process's id, anything, ``after``, where that process has ended."""
    for left in folder.iterdir():
        if not (left.name.startswith(before) and left.name.endswith(after)):
            continue
        pid = left.name.removeprefix(before).replace(".", "-").partition("-")[0]
        if not pid.isdigit() or _runs(int(pid)):
            continue
        if left.is_dir():
            rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
