"""What the tests of engines start, kill and count."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# a command that uses the engine with the guard, and prints what came; it is killed, too
PROGRAM = """
import json, sys
from mollia_cli.domain.network import guard, refused
guard()
from mollia_cli.engines.base import EngineContext
from mollia_cli.engines import ENGINES
name, address, folder, function, common, tasks = sys.argv[1:]
with ENGINES.load(name).from_context(EngineContext(address, 2, 1, folder, print)) as engine:
    for number, text in engine.map(f"mollia_cli.made:{function}", common, json.loads(tasks)):
        print(number, text, flush=True)
print("refused", refused())
"""


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def family(pid: int) -> list[int]:
    own = children(pid)
    return own + [each for child in own for each in family(child)]


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def until(is_so: Callable[[], object], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(is_so())
