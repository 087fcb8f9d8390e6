"""python -m mollia_cli.engines.ray_end FOLDER: end what Ray left of a session in that folder, when standard input ends.

Ray's own processes end with the one that started them, its agents and workers do not always. They change what they are
called, but each has its log in the folder open (Linux, where /proc says so; elsewhere they are left to Ray).
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from time import sleep

_ROUNDS, _SECONDS = 50, 0.1  # one that is being started has nothing open yet


def main(folder: Path) -> None:
    """Wait, and end every process of the folder."""
    spared = {os.getpid(), os.getppid()}  # who started this may be closing Ray, with its own log still open
    sys.stdin.buffer.read()
    quiet = 0
    for _ in range(_ROUNDS):
        found = [pid for pid in _of(folder) if pid not in spared]
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        quiet = 0 if found else quiet + 1
        if quiet > 2:
            break
        sleep(_SECONDS)
    rmtree(folder, ignore_errors=True)


def _of(folder: Path) -> Iterator[int]:
    """The processes that name the folder or have a file in it open."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (process / "cmdline").read_bytes() or any(
                str(Path(link).readlink()).startswith(str(folder)) for link in (process / "fd").iterdir()
            ):
                yield int(process.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
