"""Other processes of this machine."""

import os


def runs(pid: int) -> bool:
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
