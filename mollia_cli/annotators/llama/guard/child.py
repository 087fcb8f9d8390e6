"""Work on a stranger's file in a process of its own, so that what crashes, hangs or eats the memory there is a message.

A module that can be called so runs ``answer`` when it is the main program.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import mollia_cli
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.network import guard

_OUT_OF_TIME, _OUT_OF_MEMORY = "SIGXCPU", "SIGKILL"


class ChildError(Exception):
    """The process did not answer; the text says why: it "took more than 5 seconds", "was ended by SIGSEGV", ...

    ``stderr``: what it wrote to stderr; ``signal``: the name of the signal that ended it, or ''.
    """

    def __init__(self, why: str, stderr: str = "", signal: str = "") -> None:
        super().__init__(why)
        self.stderr = stderr
        self.signal = signal

    @property
    def memory(self) -> bool:
        """Whether the system ended it, most likely for want of memory."""
        return self.signal == _OUT_OF_MEMORY


def call(module: str, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """What ``module`` answers to a request, both JSON objects.

    Raises the MolliaError that it raised there, or ChildError if it ended otherwise or took longer than ``seconds``.
    """
    package = str(Path(mollia_cli.__file__).parents[1])  # -P: not the folder that this was started in
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", module],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "PYTHONPATH": paths},
        )
    except subprocess.TimeoutExpired:
        raise ChildError(f"took more than {seconds:.0f} seconds") from None
    if done.returncode:
        raise _ended(done.returncode, done.stderr.decode("utf-8", "replace"))
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise MolliaError(*answer["error"])
    return answer


def answer(work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Read the request, do the work and write its answer; in the process that ``call`` has started."""
    guard()
    limit("CORE", 0)  # a crash is expected here, and nobody's texts belong into a file of it
    request = json.loads(sys.stdin.buffer.read())
    try:
        found = work(request)
    except MolliaError as error:
        found = {"error": (error.message, error.hint, error.exit_code)}
    sys.stdout.write(json.dumps(found))


def limit(what: str, most: int) -> None:
    """Limit a resource of this process (resource.RLIMIT_*), where the system can."""
    with suppress(ImportError, OSError, ValueError):  # Windows has none; a lower limit may hold already
        import resource

        kind = getattr(resource, f"RLIMIT_{what}")
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def _ended(status: int, stderr: str) -> ChildError:
    if status > 0:
        return ChildError(f"failed: {(stderr.strip().splitlines() or ['without a word'])[-1]}", stderr)
    name = signal.Signals(-status).name
    if name == _OUT_OF_TIME:
        return ChildError("used more computing time than it may", stderr, name)
    return ChildError(f"was ended by {name}", stderr, name)
