"""Functions that the tests' workers are asked for, in ``mollia_cli.made`` there."""

import json
import os
import time
from pathlib import Path


def where(common: str) -> str:
    return str(os.getpid())


def double(common: str, task: str) -> str:
    return str(2 * int(task))


def slow(common: str, task: str) -> str:
    """Notes task and process in a folder, and takes as many seconds as ``common`` says beside it."""
    folder, seconds = json.loads(common)
    (Path(folder) / f"{task}-{os.getpid()}").touch()
    time.sleep(seconds)
    return task


def refuse(common: str, task: str) -> str:
    from mollia_cli.domain.errors import InputError

    raise InputError(f"{task} cannot be used", "use another")


def crash(common: str, task: str) -> str:
    os._exit(9)


def reach(common: str, task: str) -> str:
    """What is said to a way out."""
    import socket

    try:
        socket.create_connection(("192.0.2.1", 9), timeout=1)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "reached"
