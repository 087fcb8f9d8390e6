"""k-center greedy over a large pool: memory and seconds of single precision in memory and of half precision in a file.

    python benchmarks/million.py [--rows 1000000] [--picks 50] [--folder DIR]

Each is a process of its own. The points are Gaussian clusters, so that distances are neither all alike nor a few.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from mollia_cli.domain.rng import stream
from mollia_cli.strategies.coreset import k_center_greedy

DIMENSIONS, LABELLED, BLOCK, CLUSTERS, MB = 768, 300, 20_000, 100, 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--picks", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="where the file of points is made; it is deleted")
    parser.add_argument("--points", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.points is not None:
        print(json.dumps(picked(options.points, options.rows, options.picks, options.memory)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        points = write_points(Path(folder), options.rows)
        for memory in (False, True):
            words = ["--rows", str(options.rows), "--picks", str(options.picks), "--points", str(points)]
            words += ["--memory"] if memory else []
            print(subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True).stdout)


def write_points(folder: Path, rows: int) -> Path:
    """A file of half-precision points, a block at a time."""
    centres = stream(0, "centres").standard_normal((CLUSTERS, DIMENSIONS), dtype=np.float32)
    rng = stream(0, "points")
    path = folder / "points"
    with path.open("wb") as file:
        for start in range(0, rows, BLOCK):
            size = min(BLOCK, rows - start)
            block = rng.standard_normal((size, DIMENSIONS), dtype=np.float32)
            block = 0.3 * block + centres[rng.integers(0, CLUSTERS, size)]
            file.write(block.astype(np.float16).tobytes())
    return path


def picked(path: Path, rows: int, picks: int, memory: bool) -> dict[str, object]:
    """What picking took; of memory, in MB, what the process has allocated, and the mark, which counts mapped pages."""
    most = 0

    def watch() -> None:
        nonlocal most
        while True:
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            most = max(most, int(status["RssAnon"].split()[0]) * 1024)
            time.sleep(0.02)

    pool: np.ndarray[Any, Any] = np.memmap(path, np.float16, "r", shape=(rows, DIMENSIONS))
    labelled = np.asarray(pool[:LABELLED], dtype=np.float32)
    if memory:
        pool = pool.astype(np.float32)
    begin, cpu = time.perf_counter(), time.process_time()
    threading.Thread(target=watch, daemon=True).start()
    found = k_center_greedy(pool[LABELLED:], labelled, picks)
    return {
        "points": "float32 in memory" if memory else "float16 in a mapped file",
        "seconds": round(time.perf_counter() - begin, 1),
        "cpu": round(time.process_time() - cpu, 1),
        "allocated": round(most / MB),
        "peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB),
        "first": found[:5].tolist(),
        "sum": int(found.sum()),
    }


if __name__ == "__main__":
    main()
