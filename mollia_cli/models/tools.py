"""Downloading packages with pip and npm, as they are set up on this machine (mirrors, proxies)."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mollia_cli.domain.printable import count

QUIET_SECONDS = 30.0  # a tool that brings nothing for so long is stopped; PIP_DEFAULT_TIMEOUT raises it
_POLL_SECONDS = 0.1


class SourceError(Exception):
    """A source did not answer, or does not have the model; another one may. The text is the reason."""


def download(manager: str, spec: str, scratch: Path, report: Callable[[int], None]) -> Path:
    """The archive of one package, in a folder that is emptied first; nothing is unpacked or run.

    ``report`` is called with the bytes of each step. Raises SourceError with the tool's own message.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    into, temporary = scratch / "archive", scratch / "temporary"
    into.mkdir(parents=True)
    temporary.mkdir()
    command = {"pip": _pip, "npm": _npm}[manager](spec, into, temporary)
    _run(command, into, temporary, report)
    archives = list(into.iterdir())
    if len(archives) != 1:
        raise SourceError(f"{manager} brought {count(len(archives), 'file')} for {spec}, not one")
    shutil.rmtree(temporary, ignore_errors=True)
    return archives[0]


def _pip(spec: str, into: Path, temporary: Path) -> list[str]:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--retries", "1", "-d", str(into)]
    if "PIP_DEFAULT_TIMEOUT" not in os.environ:
        command += ["--timeout", "10"]
    return [*command, spec]


def _npm(spec: str, into: Path, temporary: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed here")
    command = [npm, "pack", "--silent", "--ignore-scripts", "--fetch-retries", "1"]
    return [*command, "--cache", str(temporary), "--pack-destination", str(into), spec]


def _run(command: list[str], into: Path, temporary: Path, report: Callable[[int], None]) -> None:
    """Run a tool in the scratch folder and watch what it brings."""
    quiet = max(QUIET_SECONDS, _number(os.environ.get("PIP_DEFAULT_TIMEOUT")))
    log = temporary / "tool.log"
    environment = {**os.environ, "TMPDIR": str(temporary), "npm_config_update_notifier": "false"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=temporary, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        seen, moved = 0, time.monotonic()
        try:
            while process.poll() is None:
                time.sleep(_POLL_SECONDS)
                size = _bytes_in(into, temporary)
                if size > seen:
                    report(size - seen)
                    seen, moved = size, time.monotonic()
                elif time.monotonic() - moved > quiet:
                    raise SourceError(f"nothing came for {quiet:.0f} seconds")
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    if process.returncode != 0:
        raise SourceError(_complaint(log))


def _complaint(log: Path) -> str:
    """The line of a tool's output that names the error."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() and "complete log" not in line]
    return ((errors or lines or ["it failed without a word"])[-1])[:300]


def _bytes_in(*folders: Path) -> int:
    total = 0
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                with suppress(FileNotFoundError):  # moved on in the meantime
                    total += Path(place, name).stat().st_size
    return total


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
