"""A lock file that says who holds it, and that the system frees when its holder ends, however that ends."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.files import lock
from mollia_cli.store.database import Say
from mollia_cli.store.writing import now


@contextmanager
def locked(path: Path, what: str, say: Say) -> Iterator[None]:
    """Within, nobody else is within for this file; ``what`` is locked, for people.

    Raises RefusedError with process, host and time of whoever is. A lock that a dead process has left is taken
    over, and ``say`` hears of it; of a process on another host only a person can tell.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        taken = lock(handle)
        holder = json.loads(os.read(handle, 4096) or b"{}")
        said = "process {pid} on {host}, since {since}".format(**holder) if holder else "a process that began just now"
        if not taken:
            raise RefusedError(
                f"{what} is in the hands of {said}",
                f"wait for it, or end it (kill {holder.get('pid', 'PID')}) and type the same again: a lock whose"
                " process is dead is taken over",
            )
        if holder and holder["host"] != socket.gethostname():
            raise RefusedError(
                f"{what} is in the hands of {said}, and from here nobody can see whether that still runs",
                f"if it is dead: rm '{path}', and type the same again",
            )
        if holder:
            say(f"{what} was left by {said}, which is dead: taken over")
        _write(handle, {"pid": os.getpid(), "host": socket.gethostname(), "since": now()})
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _write(handle: int, holder: dict[str, str | int]) -> None:
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, json.dumps(holder).encode())
