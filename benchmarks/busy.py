"""Annotation and training beside busy processes, as a share of what they do on an idle machine.

    python benchmarks/busy.py --encoder FOLDER --llm FILE.gguf [--rounds 3] [--json FILE]

Each kind of work runs in a process of its own, on the demo's messages, and is timed by turns: idle, beside two and
beside four processes that do nothing but compute. A fair share of C cores beside B such processes is C / (C + B). Ways
of waiting: `ours` (what mollia sets), `spinning` (OpenMP's default) and `passive` (OMP_WAIT_POLICY=passive).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WAYS: dict[str, dict[str, str]] = {
    "ours": {},
    "spinning": {"GOMP_SPINCOUNT": "300000", "OPENBLAS_THREAD_TIMEOUT": "26"},
    "passive": {"OMP_WAIT_POLICY": "passive"},
}
VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OPENBLAS_THREAD_TIMEOUT")
BESIDE = (0, 2, 4)
TEXTS, EPOCHS = 100, 6
SECONDS = 4.0  # of one measurement, at least


@contextmanager
def busy(number: int) -> Iterator[None]:
    """Within, so many processes compute."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        time.sleep(0.5 if others else 0.0)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


class Worker:
    """A process that does one kind of work each time that it is asked to."""

    def __init__(self, work: str, options: argparse.Namespace, way: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        environment |= WAYS[way]
        command = [
            sys.executable,
            __file__,
            "--work",
            work,
            "--encoder",
            str(options.encoder),
            "--llm",
            str(options.llm),
        ]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.rate()  # warms up

    def rate(self) -> float:
        """Pieces of work a second, over SECONDS or a little more."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def do_work(work: str, options: argparse.Namespace) -> None:
    """In the worker: for each line of input, do the work again and again for a while; print pieces a second."""
    piece = annotating(options.llm) if work == "annotate" else training(options.encoder)
    for _ in sys.stdin:
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < SECONDS:
            piece()
            done += 1
        print(done / (time.perf_counter() - begin), flush=True)


def annotating(llm: Path) -> Any:
    from mollia_cli.annotators import ANNOTATORS
    from mollia_cli.domain.prompting import Decoding
    from mollia_cli.machine.bench import bench_prompt, bench_texts

    items, labels = bench_texts(None, TEXTS)
    annotator = ANNOTATORS.load("llama")(llm.stem, llm, labels, bench_prompt(labels), Decoding(), model_digest="")
    return lambda: [None for _ in annotator.annotate(items)]


def training(encoder: Path) -> Any:
    import numpy as np

    from mollia_cli.learners.base import Examples
    from mollia_cli.learners.transformer import TransformerLearner
    from mollia_cli.machine.bench import bench_texts

    items, labels = bench_texts(None, TEXTS)
    gold = np.array([item.label for item in items])
    examples = Examples.gold([item.text for item in items], gold, len(labels))
    nothing = Examples.gold([], np.zeros(0, dtype=np.int64), len(labels))
    return lambda: TransformerLearner(encoder, labels, epochs=EPOCHS, steps=1, device="cpu").fit(
        examples, nothing, 0.0, 0
    )


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a kind of work, way of waiting and number of busy processes, over all rounds, which take turns."""
    cores = len(os.sched_getaffinity(0))
    rows = []
    for work in options.only:
        workers = {way: Worker(work, options, way) for way in options.ways}
        rates: dict[tuple[str, int], list[float]] = {}
        for _ in range(options.rounds):
            for others in BESIDE:
                for way, worker in workers.items():
                    with busy(others):
                        rates.setdefault((way, others), []).append(worker.rate())
        for worker in workers.values():
            worker.close()
        for (way, others), found in rates.items():
            idle, fair = statistics.median(rates[way, 0]), cores / (cores + others)
            shares = [rate / idle / fair for rate in found]
            rows.append(
                {
                    "work": work,
                    "way": way,
                    "busy": others,
                    "per_s": statistics.median(found),
                    "of_idle": statistics.median(found) / idle,
                    "of_fair_share": statistics.median(shares),
                    "worst": min(shares),
                    "of_spinning": statistics.median(found) / statistics.median(rates.get(("spinning", others), found)),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--llm", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=("annotate", "train"), default=["annotate", "train"])
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=["ours", "spinning"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        do_work(options.work, options)
        return
    rows = measure(options)
    print("work      way       busy  pieces/s  of idle  of fair share  worst  of spinning")
    for row in rows:
        print(
            f"{row['work']:9} {row['way']:9} {row['busy']:4}  {row['per_s']:8.3f}  {row['of_idle']:7.2f}"
            f"  {row['of_fair_share']:13.2f}  {row['worst']:5.2f}  {row['of_spinning']:11.2f}"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
