"""What a large pool costs from import to prediction: CPU seconds, peak memory and side files of each command.

    python benchmarks/pool.py --texts 200000 --folder DIR      # the files stay; the same command goes on after a stop

Short made-up texts, an LLM that reads the seeds and the aggregator's sample, an encoder that reads everything. Each
line is the real command in a process of its own. `anonymous` is what the process had allocated at most; what the peak
has beyond that are pages of mapped files, which the system takes back when it needs memory. Which texts are selected
says nothing: they mean nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from load import LABELS, LLM, write_texts

ENCODER, WORDS, MB = "all-minilm-l6-v2", 6, 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: seconds, MB of the high-water mark and of what it had allocated at most."""

    what: str
    seconds: float
    cpu: float
    peak: float
    anonymous: float
    side_files: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=200_000)
    parser.add_argument("--words", type=int, default=WORDS)
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument("--only", nargs="*", type=int, help="numbers of the steps to do (again)")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(exist_ok=True)
    if not (folder / "seed.jsonl").exists():
        write_texts(folder, options.texts, options.words)
    log = folder / "costs.jsonl"
    done = {json.loads(line)["what"] for line in log.read_text().splitlines()} if log.exists() else set()
    for number, command in enumerate(commands(folder, options.encoder)):
        name = " ".join(Path(part).name if "/" in part else part for part in command)
        if (options.only is None and f"{number} {name}" not in done) or number in (options.only or ()):
            cost = measured(f"{number} {name}", command, folder / "project")
            with log.open("a") as file:
                file.write(json.dumps(asdict(cost)) + "\n")
            print(
                f"{cost.what:60}{cost.seconds:9.1f} s{cost.cpu:9.1f} CPU-s{cost.peak:8.0f} MB"
                f"{cost.anonymous:8.0f} MB anonymous{cost.side_files:8.0f} MB of side files",
                flush=True,
            )


def commands(folder: Path, encoder: str) -> Iterator[tuple[str, ...]]:
    """The commands, in the order in which a person would give them."""
    large = str(folder / "large.jsonl")
    panel = f"{LLM},{encoder}"
    yield ("init", str(folder / "project"), "--labels", ",".join(LABELS), "--panel", panel, "--encoder", encoder)
    yield ("import", str(folder / "seed.jsonl"), "--split", "seed")
    yield ("import", large)
    yield ("round",)  # 0: the seeds
    yield ("round", "--strategy", "random")
    yield ("aggregate",)
    yield ("select", "--strategy", "margin", "-n", "50")  # the encoder reads the pool
    yield ("select", "--strategy", "margin", "-n", "50", "--json")
    for strategy in ("coreset", "bemps", "badge", "noise_stability"):
        yield ("select", "--strategy", strategy, "-n", "50")
    yield ("predict", large, "-o", str(folder / "predicted.jsonl"))
    yield ("predict", large, "-o", str(folder / "predicted.csv"))


def measured(what: str, command: Sequence[str], project: Path) -> Cost:
    """Run a command of mollia to its end, watching its memory; one that fails ends the benchmark."""
    words = [*command] if command[0] == "init" else [*command, "-p", str(project)]
    begin, most = time.perf_counter(), 0

    def watch() -> None:
        nonlocal most
        while process.returncode is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            most = max([most, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))])
            time.sleep(0.05)

    with subprocess.Popen(
        [sys.executable, "-m", "mollia_cli", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if process.returncode:
        sys.exit(f"{' '.join(words)} ended with {process.returncode}:\n{said}")
    sizes = [path.stat().st_size for path in project.rglob("*.safetensors") if "models" not in path.parts]
    sizes += [path.stat().st_size for path in (project / "embeddings").rglob("*") if path.suffix != ".safetensors"]
    seconds = time.perf_counter() - begin
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(what, seconds, cpu, usage.ru_maxrss * 1024 / MB, most * 1024 / MB, sum(sizes) / MB)


if __name__ == "__main__":
    main()
