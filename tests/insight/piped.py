"""python piped.py < COMMANDS: runs mollia's commands, each in a child of one process that has imported everything.

A line of standard input is {"arguments": [...], "stdin": "...", "closed": bool}; a line of standard output is the
child's {"status", "stdout", "stderr"}. Where it is closed, nobody reads the child's standard output.
"""

import json
import os
import sys
import tempfile
from typing import Any

import mollia_cli.insight.evaluate
import mollia_cli.insight.export
import mollia_cli.insight.report
import mollia_cli.insight.sql
import mollia_cli.insight.status  # noqa: F401
from mollia_cli.cli.main import main


def child(arguments: list[str], stdin: int, stdout: int, stderr: int) -> int:
    """The process that becomes the command."""
    pid = os.fork()
    if pid:
        return pid
    for descriptor, place in enumerate((stdin, stdout, stderr)):
        os.dup2(place, descriptor)
    sys.argv = ["mollia", *arguments]
    status = 0
    try:
        main()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = 120  # as Python itself ends where this happens at its exit
    os._exit(status)


def run(command: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(command.get("stdin", "").encode())
        given.seek(0)
        stdout = out.fileno()
        if command.get("closed"):
            reader, stdout = os.pipe()
            os.close(reader)
        pid = child(command["arguments"], given.fileno(), stdout, err.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if command.get("closed"):
            os.close(stdout)
        out.seek(0)
        err.seek(0)
        return {"status": status, "stdout": out.read().decode(), "stderr": err.read().decode()}


if __name__ == "__main__":
    for line in sys.stdin.read().splitlines():
        print(json.dumps(run(json.loads(line))), flush=True)
