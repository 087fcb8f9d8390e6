"""Would the tests notice? Realistic faults are put into a copy of the source, one by one, and the module's tests run.

    python benchmarks/faults.py [--only PATTERN ...] [--json]

faults.toml lists the faults. One that makes a test fail is killed; one that does not has survived: the code has a line
that no test holds, unless the list says why the fault does no harm (``harmless``). First the same tests run without any
fault, because a test that fails anyway notices nothing. ``--only``: faults whose names match (* and ? as in a shell).
Nothing is changed but a temporary copy of what git lists. The exit status is 1 where a fault survives unexplained.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_suffix(".toml")
PACKAGE = "mollia_cli"
KILLED, SURVIVED, HARMLESS = "killed", "survived", "harmless"
_LIMIT = 120.0  # seconds of tests: a fault that makes them hang is noticed, too


class ListError(Exception):
    """The list of faults does not fit the source any more; the text says where."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: ``old`` stands exactly once in ``module``, and becomes ``new``; ``tests`` should fail then.

    ``module``: a file below the package or the repository; ``tests``: names of test files, each with ``::test`` behind
    it or not. ``harmless``: why nothing can notice it.
    """

    name: str
    module: str
    old: str
    new: str
    tests: tuple[str, ...]
    harmless: str = ""


def read_list(path: Path = LIST) -> list[Fault]:
    """The faults of a TOML file. Raises ListError for one that lacks something or is there twice."""
    faults: list[Fault] = []
    for raw in tomllib.loads(path.read_text(encoding="utf-8"))["fault"]:
        try:
            fault = Fault(**{**raw, "tests": tuple(raw["tests"])})
        except (TypeError, KeyError) as error:
            raise ListError(f"{path.name}: {raw.get('name', '?')}: {error}") from None
        if fault.name in {known.name for known in faults}:
            raise ListError(f"{path.name}: {fault.name} is there twice")
        faults.append(fault)
    return faults


def find_module(fault: Fault, root: Path) -> Path:
    """The file that holds the fault's text: ``module``, or the only one that does where that has moved.

    Raises ListError where none does, or the text stands there more than once.
    """
    below = [root / PACKAGE / fault.module, root / fault.module]
    given = next((path for path in below if path.is_file()), below[0])
    places = [given] if given.is_file() else sorted((root / PACKAGE).rglob("*.py"))
    found = {path: count for path in places if (count := path.read_text(encoding="utf-8").count(fault.old))}
    where = fault.module if given.is_file() else f"{fault.module}, which is gone, nor in any other file"
    if not found:
        raise ListError(f"{fault.name}: its text is no longer in {where}: {fault.old!r}")
    if sum(found.values()) > 1:
        files = ", ".join(str(path.relative_to(root)) for path in found)
        raise ListError(f"{fault.name}: its text stands {sum(found.values())} times ({files}): {fault.old!r}")
    return next(iter(found))


def find_tests(fault: Fault, root: Path) -> list[str]:
    """What pytest is given for a fault's tests, wherever their files stand. Raises ListError for one that is gone."""
    found = []
    for test in fault.tests:
        name, mark, inside = test.partition("::")
        files = sorted(path for path in (root / "tests").rglob(Path(name).name) if path.match(name))
        if len(files) != 1:
            raise ListError(f"{fault.name}: {len(files)} test files are called {name}")
        found.append(f"{files[0].relative_to(root)}{mark}{inside}")
    return found


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of everything that git lists, with the sources compiled."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="mollia-faults-") as folder:
        root = Path(folder)
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).exists():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, root / name, follow_symlinks=False)
        # by their content and not by their times: a fault changes a file within the second
        compiling = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", PACKAGE]
        subprocess.run(compiling, cwd=root, check=True)
        yield root


def run_tests(tests: Sequence[str], root: Path) -> tuple[int, str]:
    """Pytest's exit status (124: it took too long) and the end of what it printed."""
    threads = {name: os.environ.get(name, "1") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    environment = {**os.environ, **threads, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        return 124, f"more than {_LIMIT:.0f} seconds"
    return done.returncode, done.stdout[-3000:] + done.stderr[-1000:]


def check(faults: Sequence[Fault], root: Path) -> None:
    """Every fault has its place, and its tests succeed without it. Raises ListError."""
    tests = dict.fromkeys(test for fault in faults for test in find_tests(fault, root))
    for fault in faults:
        find_module(fault, root)
        if fault.old == fault.new:
            raise ListError(f"{fault.name} changes nothing")
    status, printed = run_tests(list(tests), root)
    if status:
        raise ListError(f"without any fault the tests end with {status}:\n{printed}")


def put_in(fault: Fault, root: Path) -> dict[str, Any]:
    """What a fault did: name, state, seconds, and the test that failed."""
    path = find_module(fault, root)
    sound = path.read_text(encoding="utf-8")
    begin = time.monotonic()
    try:
        path.write_text(sound.replace(fault.old, fault.new), encoding="utf-8")
        status, printed = run_tests(find_tests(fault, root), root)
    finally:
        path.write_text(sound, encoding="utf-8")
    if status not in (0, 1, 2, 124):  # succeeded, failed, could not be imported, took too long
        raise ListError(f"{fault.name}: pytest ended with {status}:\n{printed}")
    failed = next((line for line in printed.splitlines() if line.startswith(("FAILED", "ERROR"))), "")
    state = KILLED if status else HARMLESS if fault.harmless else SURVIVED
    return {
        "name": fault.name,
        "module": fault.module,
        "state": state,
        "seconds": round(time.monotonic() - begin, 1),
        "by": failed.partition(" - ")[0].partition(" ")[2] if status else fault.harmless,
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="names of faults")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args()
    results: list[dict[str, Any]] = []
    try:
        faults = [fault for fault in read_list() if any(fnmatchcase(fault.name, pattern) for pattern in given.only)]
        if not faults:
            raise ListError(f"no fault is called {' or '.join(given.only)}")
        with copied() as root:
            check(faults, root)
            for fault in faults:
                results.append(result := put_in(fault, root))
                line = f"{result['state']:9}{result['seconds']:6.1f} s  {fault.name}  {result['by']}"
                print(line, file=sys.stderr if given.json else sys.stdout, flush=True)
    except ListError as error:
        print(f"faults.py: {error}", file=sys.stderr)
        return 2
    counts = {state: sum(result["state"] == state for result in results) for state in (KILLED, HARMLESS, SURVIVED)}
    if given.json:
        print(json.dumps({**counts, "faults": results}, indent=1))
    else:
        share = counts[KILLED] / (len(results) - counts[HARMLESS]) if counts[KILLED] else 0.0
        said = ", ".join(f"{count} {state}" for state, count in counts.items())
        print(f"{len(results)} faults: {said}; {share:.1%} of those that do harm are killed")
    return 1 if counts[SURVIVED] else 0


if __name__ == "__main__":
    sys.exit(main())
