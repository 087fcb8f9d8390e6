"""Commands as they are typed, run in the tests' own process: a Python of its own takes .4 s to start, each."""

import functools
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from mollia_cli.cli.main import main

ONE_PROGRAM = functools.cache(typer.main.get_command)  # to put its commands together takes .015 s


def typed(folder: Path, *arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """``mollia ARGUMENTS`` in a folder, in a pipe.

    An exception that ``main`` lets through is raised here. That the program starts in a process of its own is
    tested in tests/cli/test_help.py.
    """
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    words = list(map(str, arguments))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MOLLIA_PROJECT", raising=False)
        patch.setattr(sys, "argv", ["mollia", *words])
        patch.setattr(typer.main, "get_command", ONE_PROGRAM)
        for stream, double in (("stdin", given), ("stdout", out), ("stderr", err)):
            patch.setattr(sys, stream, double)
        patch.setattr("mollia_cli.cli.main.guard", lambda: None)  # for it would stay, and other tests use sockets
        before = os.umask(0o022)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            os.umask(before)
    written = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(["mollia", *words], int(ended.value.code or 0), *written)
