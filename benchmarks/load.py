"""How mollia's commands bear a large pool: seconds and peak memory of each, and the database's growth per item.

    python benchmarks/load.py                       # 1,000,000 texts of 50 words, in a temporary folder
    python benchmarks/load.py --texts 50000 --folder DIR     # the files stay

Every line is the real command in a process of its own; its CPU seconds stand beside the wall clock's, because a
shared machine stretches the latter. Two limits come from the same run: reading the file alone (JSON decoded, nothing
kept), and sqlite3's bare executemany of the same rows into a table with the same indexes. Then the whole pool is given
stored observations of two LLMs, as mollia stores them (one is an empty shell, and neither was asked),
so that the strategies that look at them, the aggregator, the report and the exports have a pool's worth of work.
`annotate` asks the test LLM of a few items of a pool of 1,000 and of the whole one.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mollia_cli.domain.digest import digest_text
from mollia_cli.domain.rng import stream

LABELS = ("abbreviation", "entity", "description", "human", "location", "numeric")
WORDS, VOCABULARY, SEEDS, SMALL_POOL = 50, 20_000, 300, 1_000
LLM, ENCODER = "smollm2-135m-instruct", "all-minilm-l6-v2"
BATCH = 1_000
MB = 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took. ``peak``: ru_maxrss in MB; of annotate, since its LLM began (see domain/memory.py)."""

    what: str
    seconds: float
    cpu: float
    peak: float


def main() -> None:
    options = parse()
    if options.step:
        STEPS[options.step](options.folder, options.texts)
        return
    with tempfile.TemporaryDirectory() if options.folder is None else nullcontext(options.folder) as folder:
        found = run(Path(folder), options)
    if options.json:
        print(json.dumps(found))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--annotate", type=int, default=8, help="items that the test LLM is asked of; 0: none")
    parser.add_argument("--folder", type=Path, help="an empty folder, which is left as it is in the end")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", choices=STEPS, default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def run(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All measurements, printed as they come unless they are to be one JSON object."""
    costs: list[Cost] = []
    sizes: list[tuple[str, float]] = []

    def shown(line: str) -> None:
        if not options.json:
            print(line, flush=True)

    def take(cost: Cost) -> None:
        costs.append(cost)
        shown(f"{cost.what:58}{cost.seconds:9.1f} s{cost.cpu:9.1f} CPU-s{cost.peak:8.0f} MB")

    def step(name: str) -> Cost:
        command = [sys.executable, __file__, "--step", name, "--folder", str(folder), "--texts", str(options.texts)]
        return measured(STEPS[name].__doc__ or name, command)

    def grown(what: str, project: str = "large") -> None:
        size = sum(file.stat().st_size for file in (folder / project).glob("mollia.db*"))
        before = sum(bytes_each for _, bytes_each in sizes) * options.texts
        sizes.append((what, (size - before) / options.texts))
        shown(f"{'database: ' + what:58}{sizes[-1][1]:9.0f} bytes an item")

    write_texts(folder, options.texts)
    make_projects(folder)
    take(step("read"))
    take(step("insert"))
    take(mollia("import", folder / "large.jsonl", "-p", folder / "large"))
    grown("texts")
    take(mollia("import", folder / "large.jsonl", "-p", folder / "large", what="import of the same file again"))
    mollia("import", folder / "small.jsonl", "-p", folder / "small")
    for pool in ("small", "large") if options.annotate else ():
        limit = ("--split", "pool", "--limit", options.annotate, "--model", LLM, "--threads", 1)
        what = f"annotate --split pool --limit {options.annotate}, {pool} pool"
        take(mollia("annotate", *limit, "-p", folder / pool, what=what))
    take(step("observe"))
    grown("observations of two LLMs")
    for command in COMMANDS:
        take(mollia(*(str(part).replace("OUT", str(folder)) for part in command), "-p", folder / "large"))
        if command[0] == "aggregate":
            grown("verdicts")
    return {"texts": options.texts, "costs": [asdict(cost) for cost in costs], "bytes_an_item": dict(sizes)}


COMMANDS: tuple[tuple[Any, ...], ...] = (
    ("status", "--json"),
    ("select", "--strategy", "random", "-n", 50),
    ("select", "--strategy", "disagreement", "-n", 50, "--pool-sample", 10_000),
    ("select", "--strategy", "disagreement", "-n", 50),
    ("aggregate",),
    ("status",),
    ("export", "labels", "-o", "OUT/labels.csv"),
    ("sql", "select split, count(*) from items group by split"),
    ("sql", "select text, label, confidence from current_verdicts order by confidence limit 20"),
    ("report", "-o", "OUT/report.html"),
    ("select", "--strategy", "doubt", "-n", 50),
    ("export", "dataset", "-o", "OUT/dataset"),
    ("report", "panel", "--json"),
    ("sql", "select label, count(*) from labelled_items group by label"),
    ("doctor",),
)


def mollia(*arguments: Any, what: str = "") -> Cost:
    """One command of mollia, as a user calls it; its output goes nowhere."""
    words = [str(argument) for argument in arguments]
    shown = " ".join(Path(word).name if "/" in word else word for word in words[: words.index("-p")])
    return measured(what or shown, [sys.executable, "-m", "mollia_cli", *words])


def measured(what: str, command: Sequence[str]) -> Cost:
    """Run a process to its end and read what the system counted of it; one that fails ends the benchmark."""
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    seconds = time.perf_counter() - begin
    return Cost(what, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MB)


def write_texts(folder: Path, texts: int, length: int = WORDS) -> None:
    """The pools and the seed set, as JSON lines; words are drawn by Zipf's law from a made-up vocabulary."""
    rng = stream(0, "load benchmark")
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    words = ["".join(rng.choice(syllables, rng.integers(1, 5))) for _ in range(VOCABULARY)]

    def rows(count: int) -> Iterator[str]:
        for start in range(0, count, BATCH):
            ranks = VOCABULARY ** rng.random((min(BATCH, count - start), length))
            yield from (" ".join(words[rank - 1] for rank in row) for row in ranks.astype(int).tolist())

    for name, count in (("large", texts), ("small", SMALL_POOL)):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}) + "\n" for text in rows(count))
    with (folder / "seed.jsonl").open("w", encoding="utf-8") as file:
        for number, text in enumerate(rows(SEEDS)):
            file.write(json.dumps({"text": text, "label": LABELS[number % len(LABELS)]}) + "\n")


def make_projects(folder: Path) -> None:
    """A project for each pool, with the seed set; the panel is the test LLM and an empty shell."""
    shell = folder / "shell.gguf"
    shell.write_bytes(b"GGUF")
    panel = f"{LLM},{shell}"
    for name in ("small", "large"):
        init = ("init", folder / name, "--labels", ",".join(LABELS), "--panel", panel, "--encoder", ENCODER)
        subprocess.run([sys.executable, "-m", "mollia_cli", *map(str, init)], check=True, capture_output=True)
        mollia("import", folder / "seed.jsonl", "--split", "seed", "-p", folder / name)


def read_alone(folder: Path, texts: int) -> None:
    """the file read alone"""
    with (folder / "large.jsonl").open(encoding="utf-8") as file:
        for line in file:
            json.loads(line)


def bare_insert(folder: Path, texts: int) -> None:
    """sqlite3's bare executemany of the same rows"""
    path = folder / "bare.db"
    with sqlite3.connect(path) as db, (folder / "large.jsonl").open(encoding="utf-8") as file:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(
            "CREATE TABLE items (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL,"
            " text_digest TEXT NOT NULL UNIQUE, split TEXT NOT NULL)"
        )
        db.execute("CREATE INDEX items_by_split ON items (split, position)")
        given = ((digest_text(text), text) for text in (json.loads(line)["text"] for line in file))
        db.executemany(
            "INSERT INTO items (id, text, text_digest, split) VALUES (?, ?, ?, 'pool')",
            ((digest[:16], text, digest) for digest, text in given),
        )
    db.close()
    for file_of_it in folder.glob("bare.db*"):
        file_of_it.unlink()


def observe(folder: Path, texts: int) -> None:
    """(storing observations of two LLMs)"""
    import numpy as np

    from mollia_cli.domain.observations import Observation
    from mollia_cli.project.context import Project
    from mollia_cli.project.observe import members

    rng = stream(0, "load benchmark's observations")
    with Project.open(folder / "large") as project:
        ids = [*project.store.items.ids("seed"), *project.store.items.ids("pool")]
        gold = [item.label for item in project.store.items.in_split("seed")] + [None] * texts
        hidden = np.array([k if k is not None else rng.integers(len(LABELS)) for k in gold])
        for member in members(project):
            for start in range(0, len(ids), BATCH):
                rows = range(start, min(start + BATCH, len(ids)))
                logits = rng.normal(0.0, 1.5, (len(rows), len(LABELS)))
                logits[np.arange(len(rows)), hidden[list(rows)]] += 2.0
                z = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
                votes = rng.multinomial(10, z) / 10
                log_z = np.log(0.9 * z)
                batch = [Observation(ids[row], log_z[n], votes[n], 0.9, 0.0, tokens=70) for n, row in enumerate(rows)]
                project.store.observations.add(member.key, batch, 1.0)


STEPS = {"": observe, "read": read_alone, "insert": bare_insert, "observe": observe}

if __name__ == "__main__":
    main()
