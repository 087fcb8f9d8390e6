"""python -m mollia_cli.engines.ray_end FOLDER: end what Ray left of a session in that folder, when standard input ends.

Ray's own processes end with the one that started them, its agents do not always; Linux alone, where /proc tells.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from shutil import rmtree


def main(folder: Path) -> None:
    """Wait, and end every process that names the folder."""
    sys.stdin.buffer.read()
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError, ProcessLookupError):
            pid = int(command.parent.name)
            if str(folder).encode() in command.read_bytes() and pid != os.getpid():
                os.kill(pid, signal.SIGKILL)
    rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
