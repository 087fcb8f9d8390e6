"""Kill what an engine consists of, anywhere: is every row there once, with the same bits, and is nobody left behind?

    python benchmarks/kill_engines.py --llm FILE.gguf [--kills 50] [--only dask-worker ray-driver] [--figures FILE]

Each trial copies a project of 12 texts (6 batches), starts the real `mollia annotate --on ENGINE`, and does harm at a
moment drawn uniformly over its undisturbed duration. A killed worker or node must not be noticed: the command ends with
status 0. Where the driver is killed, or the scheduler killed or stopped (SIGSTOP: a network that does not answer any
more), the same command typed again must. In the end every row is that of one process that was not disturbed, and no
process of the command is left (counted). `node` and the schedulers are those of `mollia engine certificates`, started
as it prints, with mutual TLS over the loopback. With --figures each trial is a line of that file, gone on with later.
"""

import argparse
import hashlib
import json
import os
import random
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

from mollia_cli.annotators.llama.binding.formats import reencode
from mollia_cli.domain.rng import stream
from mollia_cli.machine.demo import LABELS, demo_messages
from mollia_cli.machine.nodes import DASK_PORT, make_certificates

TEXTS, CHARACTERS = 12, 8_200  # two fill a batch
KINDS = (
    *("local-worker", "local-driver"),
    *("dask-worker", "dask-driver", "dask-node", "dask-scheduler", "dask-silent"),
    *("ray-worker", "ray-driver"),
)
OBSERVED = "annotator, item, log_probs, votes, mass, invalid, slack, answers, tokens, truncated"
MOLLIA = (sys.executable, "-m", "mollia_cli")
LEFT_SECONDS = 15.0  # that processes may take to end
SILENT_SECONDS = 75.0  # that a command may wait for a scheduler that says nothing


@dataclass(frozen=True, slots=True)
class Trial:
    """What one kill did. left: processes of the command that did not end; again: whether it had to be typed again."""

    kind: str
    number: int
    duration: float
    moment: float
    rows: int
    same: bool
    left: int
    again: bool
    problem: str = ""


def family(pid: int) -> list[int]:
    """Every process below one."""
    below = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                below.append(int(stat.parent.name))
    return below + [each for child in below for each in family(child)]


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended and was not waited for does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def called(pids: list[int], words: str) -> list[int]:
    """Those whose command line has one of the words."""
    found = []
    for pid in pids:
        with suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            found += [pid] if any(word in line for word in words.split()) else []
    return found


def send(pids: list[int], what: signal.Signals) -> None:
    """A signal to all that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


class Cluster:
    """A scheduler and the workers of one node, by the commands that are printed for them."""

    def __init__(self, scratch: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as there:
            port = str(there.getsockname()[1])
        self.certificates = scratch / "certificates"
        nodes = make_certificates(["127.0.0.1"], self.certificates)
        commands = [command.replace(str(DASK_PORT), port) for command in nodes.dask]
        self._commands = {
            role: shlex.split(command) for role, command in zip(("scheduler", "node"), commands, strict=False)
        }
        self.address = commands[-1].rpartition(" ")[2]
        self._scratch = scratch
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start what does not run."""
        for role, command in self._commands.items():
            if role not in self._running:
                log = (self._scratch / f"{role}.log").open("wb")
                program = [sys.executable, "-m", *command]
                self._running[role] = subprocess.Popen(program, cwd=self._scratch, stdout=log, stderr=log)

    def pids(self, role: str) -> list[int]:
        """The role's process and all below it."""
        return [self._running[role].pid, *family(self._running[role].pid)] if role in self._running else []

    def kill(self, role: str) -> None:
        """All of it, at once."""
        send(self.pids(role), signal.SIGKILL)
        if role in self._running:
            self._running.pop(role).wait()


class Bench:
    """A project, what it holds when nothing disturbs, and trials in a scratch folder."""

    def __init__(self, scratch: Path, llm: Path, seed: int, durations: dict[str, float]) -> None:
        self._scratch, self._seed, self._durations = scratch, seed, durations
        self._cluster: Cluster | None = None
        project, texts = scratch / "project", scratch / "texts.jsonl"
        words = [message["text"] for message in demo_messages()]
        rows = [" ".join(words[n:] + words[:n])[:CHARACTERS] for n in range(TEXTS)]
        texts.write_text("\n".join(json.dumps({"text": row}) for row in rows))
        self._mollia("init", str(project), "--labels", ",".join(LABELS), "--panel", str(llm))
        self._mollia("import", str(texts), "--split", "pool", "-p", str(project))
        one = self._copy()
        self._mollia("annotate", *self._words("local-1", one))
        self._reference = observed(one)
        assert len(self._reference) == TEXTS

    def _mollia(self, *words: str) -> None:
        subprocess.run([*MOLLIA, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _copy(self) -> Path:
        shutil.rmtree(self._scratch / "trial", ignore_errors=True)
        return Path(shutil.copytree(self._scratch / "project", self._scratch / "trial"))

    def _words(self, kind: str, folder: Path) -> list[str]:
        engine, _, what = kind.partition("-")
        words = ["--split", "pool", "--threads", "1", "--on", engine, "-p", str(folder)]
        if what in ("node", "scheduler", "silent"):
            cluster = self._cluster = self._cluster or Cluster(self._scratch)
            cluster.start()
            shutil.copytree(cluster.certificates, folder / "certificates", dirs_exist_ok=True)
            return [*words, "--address", cluster.address]
        return [*words, "--workers", "1" if what == "1" else "2"]

    def _start(self, kind: str, folder: Path) -> "subprocess.Popen[bytes]":
        words = self._words(kind, folder)
        with (self._scratch / "said").open("wb") as said:
            return subprocess.Popen([*MOLLIA, "annotate", *words], stdout=subprocess.DEVNULL, stderr=said)

    def _said(self) -> str:
        return (self._scratch / "said").read_text(errors="replace")[-300:]

    def undisturbed(self, kind: str) -> float:
        """Seconds of the command; what it leaves must be what one process leaves."""
        if kind not in self._durations:
            folder = self._copy()
            begin = time.monotonic()
            assert self._start(kind, folder).wait() == 0, self._said()
            self._durations[kind] = time.monotonic() - begin
            assert observed(folder) == self._reference, f"{kind}: undisturbed, and another result"
        return self._durations[kind]

    def trial(self, kind: str, number: int) -> Trial | None:
        """One kill; None where the command ended before it, or nothing was there to be killed."""
        duration = self.undisturbed(kind)
        moment = float(stream(self._seed, "kill", kind, number).uniform(0.0, duration))
        folder = self._copy()
        command = self._start(kind, folder)
        with suppress(subprocess.TimeoutExpired):
            command.wait(moment)
        own = family(command.pid)
        if command.poll() is not None or not self._harm(kind, command, number):
            command.wait()
            return None
        problems, again = [], False
        status = self._wait(kind, command)
        if what(kind) in ("worker", "node") and status:
            problems.append(f"status {status}: {self._said()}")
        if what(kind) == "silent" and not status:
            return None  # it had all it needed
        if status:
            again = True
            self._restore()
            if status := self._start(kind, folder).wait():
                problems.append(f"again, status {status}: {self._said()}")
        end = time.monotonic() + LEFT_SECONDS
        while any(map(alive, own)) and time.monotonic() < end:
            time.sleep(0.05)
        left = sum(map(alive, own))
        problems += [f"{left} processes left"] if left else []
        rows = observed(folder)
        problems += [] if rows == self._reference else [f"{len(rows)} rows, not those of one process"]
        return Trial(
            kind, number, duration, moment, len(rows), rows == self._reference, left, again, "; ".join(problems)
        )

    def _harm(self, kind: str, command: "subprocess.Popen[bytes]", number: int) -> bool:
        if what(kind) == "driver":
            command.kill()
        elif what(kind) == "worker":
            workers: list[int] = []
            while not workers and command.poll() is None:  # before there is one, the first
                workers = called(family(command.pid), "engines.worker dask_worker ray::_Worker")
            send([random.Random(number).choice(workers)] if workers else [], signal.SIGKILL)
            return bool(workers)
        else:
            assert self._cluster is not None
            if what(kind) == "silent":
                send(self._cluster.pids("scheduler"), signal.SIGSTOP)
            else:
                self._cluster.kill("node")
            if what(kind) == "scheduler":
                self._cluster.kill("scheduler")
            if what(kind) == "node":
                self._cluster.start()
        return True

    def _wait(self, kind: str, command: "subprocess.Popen[bytes]") -> int:
        try:
            return command.wait(SILENT_SECONDS if what(kind) == "silent" else 170)
        except subprocess.TimeoutExpired:
            command.kill()
            return command.wait() - 1000

    def _restore(self) -> None:
        if self._cluster:
            send(self._cluster.pids("scheduler"), signal.SIGCONT)
            self._cluster.start()

    def close(self) -> None:
        """End the cluster."""
        if self._cluster:
            for role in ("node", "scheduler"):
                self._cluster.kill(role)


def what(kind: str) -> str:
    """What of the engine is killed."""
    return kind.partition("-")[2]


def observed(project: Path) -> list[str]:
    """Every observation, bit for bit, without its times."""
    with closing(sqlite3.connect(project / "mollia.db")) as db:
        return sorted(
            hashlib.sha256(repr(row).encode()).hexdigest() for row in db.execute(f"SELECT {OBSERVED} FROM observations")
        )


def show(trials: list[Trial]) -> None:
    """One row for each kind, and every problem."""
    print(f"{'killed':<16}{'seconds':>9}{'kills':>7}{'rows':>10}{'same':>7}{'left':>7}{'again':>7}")
    for kind in KINDS:
        own = [trial for trial in trials if trial.kind == kind]
        if own:
            rows = f"{sum(trial.rows for trial in own)}/{TEXTS * len(own)}"
            counts = (sum(t.same for t in own), sum(t.left for t in own), sum(t.again for t in own))
            print(f"{kind:<16}{own[-1].duration:>9.2f}{len(own):>7}{rows:>10}" + "".join(f"{n:>7}" for n in counts))
    print(f"{len(trials)} kills, {sum(bool(trial.problem) for trial in trials)} with a problem")
    for trial in trials:
        if trial.problem:
            print(f"{trial.kind} {trial.number} at {trial.moment:.2f} s: {trial.problem}")


@contextmanager
def bench(llm: Path, seed: int, durations: dict[str, float]) -> Iterator[Bench]:
    """In a scratch folder, with the LLM's first layer: that its answers stay the same is what matters."""
    with tempfile.TemporaryDirectory(prefix="mollia-kill-") as scratch:
        shallow = Path(scratch) / "shallow.gguf"
        reencode(llm, shallow, "", threads=1, layers=1)
        made = Bench(Path(scratch), shallow, seed, durations)
        try:
            yield made
        finally:
            made.close()


def main() -> int:
    """The exit status: 1 if any kill left a problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llm", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=50, help="of each kind, with those that the file of figures has")
    parser.add_argument("--only", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no trial begins after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figures", type=Path, help="a file of trials, which is gone on with")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    lines = options.figures.read_text().splitlines() if options.figures and options.figures.exists() else []
    trials = [Trial(**json.loads(line)) for line in lines]

    def done(kind: str) -> list[Trial]:
        return [trial for trial in trials if trial.kind == kind]

    wanted: Callable[[], list[str]] = lambda: [kind for kind in options.only if len(done(kind)) < options.kills]  # noqa: E731
    tried = {kind: max((trial.number for trial in done(kind)), default=-1) for kind in options.only}
    with bench(options.llm.absolute(), options.seed, {trial.kind: trial.duration for trial in trials}) as made:
        while (kinds := wanted()) and time.monotonic() < end:
            kind = min(kinds, key=lambda kind: len(done(kind)))
            tried[kind] += 1
            if trial := made.trial(kind, tried[kind]):
                trials.append(trial)
                if options.figures:
                    with options.figures.open("a") as handle:
                        handle.write(json.dumps(asdict(trial)) + "\n")
    show(trials)
    return int(any(trial.problem for trial in trials))


if __name__ == "__main__":
    sys.exit(main())
