"""What an engine costs beside the work: seconds to start, memory while it has nothing to do, milliseconds a task.

    python benchmarks/engine_cost.py [--only dask ray] [--workers 2] [--tasks 500]

Memory is the proportional set size of the driver and all processes below it (shared pages are divided among those that
share them; Linux). A task calls a function that gives its text back, so that nearly all of its time is the engine's.
"""

import argparse
import re
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import run
from time import perf_counter

from mollia_cli.domain.network import guard
from mollia_cli.engines import ENGINES
from mollia_cli.engines.base import EngineContext

NOTHING = ("mollia_cli.engines.calls:answer", "mollia_cli.domain.printable:printable")


def family(pid: int) -> list[int]:
    """A process and every one below it."""
    below = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                below += family(int(stat.parent.name))
    return [pid, *below]


def memory(pids: list[int]) -> float:
    """Proportional set size of processes together, MB."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            total += int(re.findall(r"(?m)^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())[0])
    return total / 1024


def measure(name: str, workers: int, tasks: int) -> None:
    """Print one engine's row; in a process of its own, so that none has another's libraries."""
    guard()
    engine = ENGINES.load(name).from_context(EngineContext("", workers, 1, "", lambda remark: None))
    begin = perf_counter()
    with engine:
        started = perf_counter() - begin
        list(engine.map(*NOTHING, map(str, range(2 * workers))))
        begin = perf_counter()
        done = list(engine.map(*NOTHING, map(str, range(tasks))))
        each = (perf_counter() - begin) / tasks * 1000
        assert len(done) == tasks
        own = family(int(Path("/proc/self").resolve().name))
        print(f"{name:<8}{started:>9.2f}{memory(own):>9.0f}{len(own):>11}{each:>10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tasks", type=int, default=500)
    options = parser.parse_args()
    if len(options.only) == 1:
        measure(options.only[0], options.workers, options.tasks)
        return
    print(f"{'engine':<8}{'seconds':>9}{'MB':>9}{'processes':>11}{'ms/task':>10}", flush=True)
    for name in options.only:
        own = ["--only", name, "--workers", str(options.workers), "--tasks", str(options.tasks)]
        run([sys.executable, __file__, *own], check=True)


if __name__ == "__main__":
    main()
