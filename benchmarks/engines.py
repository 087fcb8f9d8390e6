"""Processes x threads: how fast an LLM reads on worker processes of this machine, and what the engine itself costs.

    python benchmarks/engines.py MODEL.gguf --texts FILE --limit 300        # 1x1, 1x2, 2x1, and 1x1 on the engine
    python benchmarks/engines.py MODEL.gguf --texts FILE --setups 1x1,2x1 --json

``1x2`` is one process of two threads, in this process, as mollia reads where there are few texts; ``e2x1`` two worker
processes of one thread each (the engine local), ``e1x1`` one of them: beside ``1x1``, what the engine costs. Each runs
in a process of its own. The models are loaded before the clock starts; ``start`` is what that took. CPU seconds are of
the process and its workers; ``driver`` is the share of them that is not the workers'. ``--together`` characters are
read at once, fewer than mollia's 16,384, so that a few hundred texts are batches enough.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from mollia_cli import models
from mollia_cli.annotators.llama import GgufAnnotator
from mollia_cli.annotators.llama import annotator as llama
from mollia_cli.domain.items import Item
from mollia_cli.domain.prompting import Decoding
from mollia_cli.engines import local
from mollia_cli.machine.bench import bench_prompt, bench_texts
from mollia_cli.project.kernels import file_kernels
from mollia_cli.project.reading import OBSERVE, common_of, task_of, unpacked

SMALL = "from mollia_cli.annotators.llama import annotator; annotator._TOGETHER = {}\n"
WORKER = "from mollia_cli.engines.worker import main; main()\n"


def main() -> None:
    options = parse()
    if options.one:
        print(json.dumps(run_one(options)))
        return
    rows = [in_its_own_process(name) for name in options.setups.split(",")]
    if options.json:
        print(json.dumps({"model": options.model.name, "rows": rows}))
        return
    base = rows[0]
    print(f"{options.model.name}, {base['texts']} texts in {base['batches']} batches")
    print(f"{'':6}{'texts/s':>9}{'times':>7}{'CPU ms/text':>13}{'times':>7}{'driver':>8}{'start s':>9}")
    for row in rows:
        print(
            f"{row['name']:6}{row['rate']:9.2f}{row['rate'] / base['rate']:7.2f}{1000 * row['cpu']:13.1f}"
            f"{row['cpu'] / base['cpu']:7.3f}{row['driver']:8.2%}{row['start']:9.2f}"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--together", type=int, default=2048)
    parser.add_argument("--setups", default="1x1,1x2,e2x1,e1x1")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def in_its_own_process(name: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *sys.argv[1:], "--one", name]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def run_one(options: argparse.Namespace) -> dict[str, Any]:
    """One setup: texts and CPU seconds a second."""
    llama._TOGETHER = options.together
    local.COMMAND = ("-P", "-c", SMALL.format(options.together) + WORKER)
    processes, threads = map(int, options.one.removeprefix("e").split("x"))
    items, labels = bench_texts(options.texts, options.limit)
    file = models.resolve_llm(str(options.model.absolute()))
    annotator = GgufAnnotator(
        file.name,
        file.path,
        labels,
        bench_prompt(labels),
        Decoding(),
        model_digest=file.sha256,
        threads=threads,
        kernels=partial(file_kernels, file),
    )
    annotator.identity  # noqa: B018 -- what it looks up once per machine is no part of a reading
    read = on_the_engine if options.one.startswith("e") else here
    found = read(annotator, items, processes, threads)
    found["batches"] = len(list(annotator.batches(items)))
    return {"name": options.one, "texts": len(items)} | found


def here(annotator: GgufAnnotator, items: list[Item], processes: int, threads: int) -> dict[str, Any]:
    begin = time.perf_counter()
    annotator.load()
    start, begin, used = time.perf_counter() - begin, time.perf_counter(), time.process_time()
    seen = sum(len(batch) for batch in annotator.annotate(items))
    wall, cpu = time.perf_counter() - begin, time.process_time() - used
    assert seen == len(items)
    return {"rate": seen / wall, "cpu": cpu / seen, "driver": 0.0, "start": start}


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def cpu_of(pid: str) -> float:
    """CPU seconds of a process until now."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def on_the_engine(annotator: GgufAnnotator, items: list[Item], processes: int, threads: int) -> dict[str, Any]:
    common = common_of(annotator, threads, 0)
    begin = time.perf_counter()
    engine = local.LocalEngine(processes)
    with engine:
        for _ in engine.map(OBSERVE, common, [task_of([Item(f"first {n}", "?")]) for n in range(processes)]):
            pass
        start, begin = time.perf_counter() - begin, time.perf_counter()
        used, loading = time.process_time(), sum(map(cpu_of, children()))
        seen = 0
        for _, answer in engine.map(OBSERVE, common, map(task_of, annotator.batches(items))):
            seen += len([unpacked(row) for row in json.loads(answer)["seen"]])
        wall, driver = time.perf_counter() - begin, time.process_time() - used
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)  # of workers that have ended
    assert seen == len(items)
    total = cpu.ru_utime + cpu.ru_stime - loading + driver
    return {"rate": seen / wall, "cpu": total / seen, "driver": driver / total, "start": start}


if __name__ == "__main__":
    main()
