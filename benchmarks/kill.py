"""Kill every long command anywhere: is anything lost, doubled or damaged, does the same command end as undisturbed?

    python benchmarks/kill.py --llm FILE.gguf --encoder FOLDER [--kills 200] [--only import annotate] [--figures FILE]

Each trial copies a prepared folder, starts the real command in a process of its own (forked from this one, which
has imported everything, because importing takes longer than the work) and sends it SIGKILL at a moment drawn
uniformly over its undisturbed duration. Then what `mollia doctor` and `mollia verify` examine must be sound, and the
same command must end with the same folder as an undisturbed run: every table's rows (times left out) and every
other file. `export` to a new folder, `train` and `round` refuse or do more when they are asked again after they have
ended; where the folder is complete already, they are not. `again` counts texts that the LLM read twice: at most the
batch that was in flight. With --figures, each trial is a line of that file, and a later call goes on behind them.
"""

import argparse
import hashlib
import json
import math
import os
import re
import select
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

from mollia_cli import models
from mollia_cli.annotators.llama import annotator as gguf
from mollia_cli.cli.main import main as mollia
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.rng import stream
from mollia_cli.machine.demo import LABELS, demo_messages
from mollia_cli.project.context import Project

SIZES = {"seed": 18, "pool": 60, "validation": 6, "test": 12}
SMALLER = (("epochs = 40", "epochs = 2"), ("unlabelled = 500", "unlabelled = 10"), ("batch = 50", "batch = 20"))
MODEL, ROWS = "killed", 5_000  # texts of the file that is imported
TIMES = {"imported_at", "created_at", "used_at", "started_at", "finished_at", "made_at", "seconds", "applied_at"}
READ = "read.txt"  # the sizes of the batches that an LLM has read, a line each
NOT_COMPARED = {"digests.json", "llama.log", READ}
QUESTION = re.compile(rb"^\d+ of \d+, item (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Job:
    """A command and the folder that it is run in; ``once``: asked again, it refuses or does more."""

    name: str
    scene: str
    arguments: tuple[str, ...]
    once: bool = False


JOBS = {
    job.name: job
    for job in (
        Job("import", "empty", ("import", "rows.jsonl", "--split", "pool", "-p", "p")),
        Job("annotate", "imported", ("annotate", "--split", "pool", "--threads", "1", "-p", "p")),
        Job("aggregate", "annotated", ("aggregate", "-p", "p")),
        Job("train", "aggregated", ("train", "--threads", "1", "-p", "p"), once=True),
        Job("round", "started", ("round", "--threads", "1", "-p", "p"), once=True),
        Job("run", "imported", ("run", "--rounds", "2", "--threads", "1", "-p", "p")),
        Job("review", "aggregated", ("review", "--plain", "--limit", "0", "--who", "anna", "-p", "p")),
        Job("pull", "catalogue", ("models", "pull", MODEL)),
        Job("tune", "models", ("models", "tune", MODEL, "--threads", "1")),
        Job("export labels", "aggregated", ("export", "labels", "-o", "labels.csv", "-p", "p")),
        Job("export dataset", "aggregated", ("export", "dataset", "-o", "dataset", "-p", "p"), once=True),
        Job("export model", "started", ("export", "model", "-o", "model", "-p", "p"), once=True),
    )
}


@dataclass(frozen=True, slots=True)
class Trial:
    """What one kill did. moment, duration: seconds. again, batch: texts read twice, and in the largest batch."""

    job: str
    number: int
    duration: float
    moment: float
    sound: bool
    same: bool
    again: int
    batch: int
    problem: str = ""


class Command:
    """A command in a process of its own, in ``folder``. ``answers``: item id -> what a person says to `review`."""

    def __init__(
        self, folder: Path, arguments: Sequence[str], answers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        stdin, self._answer = os.pipe()
        self._asked, stderr = os.pipe()
        self._answers = answers
        self.said = b""
        self._process = os.fork()
        if not self._process:
            os.close(self._answer)
            os.close(self._asked)
            _become(folder, arguments, stdin, stderr)
        os.close(stdin)
        os.close(stderr)

    def end(self, seconds: float = math.inf) -> int:
        """The exit status; negative: the signal, sent where it is not over after so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self._asked], [], [], None if math.isinf(left) else left)
            if ready and not self._talk():
                break
        else:
            os.kill(self._process, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])
        os.close(self._answer)
        os.close(self._asked)
        return status

    def _talk(self) -> bool:
        """Answer what is asked; False at the end of the process, which closes its stderr."""
        words = os.read(self._asked, 65536)
        self.said = (self.said + words)[-2000:]
        for item in QUESTION.findall(words) if self._answers else ():
            os.write(self._answer, f"{self._answers[item.decode()]}\n".encode())
        return bool(words)


def _become(folder: Path, arguments: Sequence[str], stdin: int, stderr: int) -> NoReturn:
    """Be the command, in the child of a fork. What an LLM has read is noted batch by batch, to be counted."""
    os.chdir(folder)
    os.environ["MOLLIA_HOME"] = str(folder / "home")
    os.dup2(stdin, 0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(stderr, 2)
    annotate = gguf.GgufAnnotator.annotate

    def noted(self: gguf.GgufAnnotator, items: Sequence[Item]) -> Iterator[list[Observation]]:
        for batch in annotate(self, items):
            with Path(READ).open("a") as handle:
                handle.write(f"{len(batch)}\n")
            yield batch

    gguf.GgufAnnotator.annotate = noted  # type: ignore[method-assign]
    sys.argv = ["mollia", *arguments]
    status = 0
    try:
        mollia()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    sys.stderr.flush()
    os._exit(status)


def state(folder: Path) -> dict[str, str]:
    """Digests of all that a folder holds: tables without their times, every other file as it is."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or path.name in NOT_COMPARED or path.name.startswith("mollia.db") or path.suffix == ".lock":
            continue
        data = path.read_bytes()
        if path.name == "installed.json":
            data = json.dumps({**json.loads(data), "added": ""}).encode()
        found[name] = hashlib.sha256(data).hexdigest()
    database = folder / "p" / "mollia.db"
    return found | (_tables(database) if database.exists() else {})


def _tables(database: Path) -> dict[str, str]:
    with closing(sqlite3.connect(database)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {f"table {name}": _digest_of_table(db, name) for name in names if name != "journal"}  # of times


def _digest_of_table(db: sqlite3.Connection, name: str) -> str:
    columns = [column for _, column, *_ in db.execute(f"PRAGMA table_info({name})") if column not in TIMES]
    rows = sorted(map(repr, db.execute(f"SELECT {', '.join(columns)} FROM {name}")))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


class Bench:
    """Scenes, undisturbed ends and trials in a scratch folder."""

    def __init__(self, scratch: Path, llm: Path, encoder: Path, seed: int) -> None:
        self._scratch, self._llm, self._encoder, self._seed = scratch, llm, encoder, seed
        self._messages = demo_messages()
        self._undisturbed: dict[str, tuple[dict[str, str], list[int], float]] = {}

    def scene(self, name: str) -> Path:
        """The folder that a command is run in, made at the first call."""
        folder = self._scratch / "scenes" / name
        if folder.exists():
            return folder
        before, commands = self._scenes()[name]
        new = self._scratch / "new"
        if before:
            shutil.copytree(self.scene(before), new)
        else:
            self._raw(new)
        for command in commands:
            ended = Command(new, command)
            status = ended.end()
            assert status == 0, f"{command}: {ended.said.decode()}"
        (new / READ).unlink(missing_ok=True)
        for settings in new.glob("p/mollia.toml"):
            for shipped, smaller in SMALLER:
                settings.write_text(settings.read_text().replace(shipped, smaller))
        folder.parent.mkdir(exist_ok=True)
        new.rename(folder)
        return folder

    def _scenes(self) -> dict[str, tuple[str, list[tuple[str, ...]]]]:
        labels, models = ",".join(LABELS), ("--panel", str(self._llm), "--encoder", str(self._encoder))
        read = ("annotate", "--split")
        return {
            "catalogue": ("", []),
            "models": ("", [("models", "add", str(self._llm), "--name", MODEL)]),
            "empty": ("", [("init", "p", "--labels", labels, "--noun", "message", *models)]),
            "imported": ("empty", [("import", f"{split}.jsonl", "--split", split, "-p", "p") for split in SIZES]),
            "annotated": ("imported", [(*read, split, "--threads", "1", "-p", "p") for split in ("seed", "pool")]),
            "aggregated": ("annotated", [("aggregate", "-p", "p")]),
            "started": ("imported", [("round", "--threads", "1", "-p", "p")]),
        }

    def _raw(self, folder: Path) -> None:
        """Files to import, and a catalogue with one model."""
        (folder / "home").mkdir(parents=True)
        for split, size in SIZES.items():
            rows = [json.dumps(message) for message in self._messages if message["split"] == split][:size]
            (folder / f"{split}.jsonl").write_text("\n".join(rows))
        rows = [json.dumps({"text": f"{n} {self._messages[n % 500]['text']}"}) for n in range(ROWS)]
        (folder / "rows.jsonl").write_text("\n".join(rows))
        digest = hashlib.sha256(self._llm.read_bytes()).hexdigest()
        (folder / "home" / "models.toml").write_text(
            f"""[[model]]\nname = "{MODEL}"\nkind = "llm"\nfamily = "f"\nlicence = "L"\nnote = "n"
size = {self._llm.stat().st_size}\n[model.files]\n"m.gguf" = "{digest}"
[[model.source]]\nlocal = '{self._llm}'\n"""
        )

    def undisturbed(self, job: Job) -> tuple[dict[str, str], list[int], float]:
        """What the command ends with, the sizes of the batches that LLMs read, and seconds; two runs must agree."""
        if job.name not in self._undisturbed:
            for _ in range(2):
                folder = self._copy(job)
                begin = time.monotonic()
                status, said = self._finish(job, folder)
                seconds = time.monotonic() - begin
                assert status == 0, f"{job.name}: {said}"
                found = state(folder)
                known = self._undisturbed.setdefault(job.name, (found, _batches(folder), seconds))
                wrong = differences(job, known[0], found)
                assert not wrong, f"{job.name}: two undisturbed runs differ in {wrong}"
            self._undisturbed[job.name] = (*known[:2], seconds)
        return self._undisturbed[job.name]

    def trial(self, job: Job, number: int) -> Trial | None:
        """One kill; None where the command ended before it."""
        reference, batches, duration = self.undisturbed(job)
        moment = float(stream(self._seed, "kill", job.name, number).uniform(0.0, duration))
        folder = self._copy(job)
        if self._command(job, folder).end(moment) != -signal.SIGKILL:
            return None
        sound = in_child(lambda: examine(folder)) == 0
        problems = [] if sound else ["the database or a model is damaged"]
        if not job.once or differences(job, reference, state(folder)):
            status, said = self._finish(job, folder)
            problems += [f"status {status}: {said}"] if status else []
        wrong = differences(job, reference, state(folder))
        problems += [f"differs in {', '.join(wrong)}"] if wrong else []
        read = _batches(folder)
        again, batch = sum(read) - sum(batches), max(read, default=0)
        problems += [f"{again} texts were read again"] if again > batch else []
        return Trial(job.name, number, duration, moment, sound, not wrong, again, batch, "; ".join(problems))

    def _copy(self, job: Job) -> Path:
        folder = self._scratch / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        return Path(shutil.copytree(self.scene(job.scene), folder))

    def _command(self, job: Job, folder: Path) -> Command:
        return Command(folder, job.arguments, _person(folder) if job.name == "review" else {})

    def _finish(self, job: Job, folder: Path) -> tuple[int, str]:
        command = self._command(job, folder)
        return command.end(), command.said.decode("utf-8", "replace")


def _person(folder: Path) -> dict[str, str]:
    """Somebody who knows every item's label."""
    with closing(sqlite3.connect(folder / "p" / "mollia.db")) as db:
        return dict(db.execute("SELECT id, label FROM items WHERE label IS NOT NULL"))


def _batches(folder: Path) -> list[int]:
    return [int(line) for line in (folder / READ).read_text().split()] if (folder / READ).exists() else []


def differences(job: Job, reference: dict[str, str], found: dict[str, str]) -> list[str]:
    """What is not as it was; tuning may find another format faster, whose file must then be the same every time."""
    if job.name == "tune":
        for one, other in ((reference, found), (found, reference)):
            one |= {name: digest for name, digest in other.items() if f"{MODEL}." in name and name not in one}
    return sorted(name for name in reference.keys() | found.keys() if reference.get(name) != found.get(name))


def show(trials: Sequence[Trial], names: Sequence[str]) -> None:
    """One row for each command, and every problem."""
    print(f"{'command':<16}{'seconds':>9}{'kills':>7}{'sound':>7}{'same':>7}{'again':>7}{'batch':>7}")
    for name in names:
        own = [trial for trial in trials if trial.job == name]
        if own:
            counts = (len(own), sum(t.sound for t in own), sum(t.same for t in own))
            most = (max(t.again for t in own), max(t.batch for t in own))
            print(f"{name:<16}{own[-1].duration:>9.2f}" + "".join(f"{n:>7}" for n in (*counts, *most)))
    print(f"{len(trials)} kills, {sum(bool(t.problem) for t in trials)} with a problem")
    for trial in trials:
        if trial.problem:
            print(f"{trial.job} {trial.number} at {trial.moment:.2f} s: {trial.problem}")


def in_child(work: Callable[[], int]) -> int:
    """What the work returns in a process of its own: this one must stay without threads, to be forked."""
    process = os.fork()
    if not process:
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def examine(folder: Path) -> int:
    """0 if `mollia doctor` and `mollia verify` would find the folder's project and its models sound."""
    os.environ["MOLLIA_HOME"] = str(folder / "home")
    if any(row.state != "ok" for row in models.check()):
        return 1
    if not (folder / "p").exists():
        return 0
    with Project.open(folder / "p") as project:
        return int(bool(project.store.damage() or project.store.verify().findings))


def shallow(llm: Path, path: Path) -> int:
    """Write the LLM's first four layers: what it says does not matter here, that it stays the same does."""
    from mollia_cli.annotators.llama.binding.formats import reencode

    reencode(llm, path, "", threads=1, layers=4)
    return 0


def main() -> int:
    """The exit status: 1 if any kill left a problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llm", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=200, help="in all; every command gets the same time")
    parser.add_argument("--only", nargs="*", choices=JOBS, default=list(JOBS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figures", type=Path, help="a file of trials, which is gone on with")
    options = parser.parse_args()
    preload(options.only)
    lines = options.figures.read_text().splitlines() if options.figures and options.figures.exists() else []
    trials = [Trial(**json.loads(line)) for line in lines]
    with tempfile.TemporaryDirectory(prefix="mollia-kill-") as scratch:
        llm = Path(scratch) / "shallow.gguf"
        assert in_child(lambda: shallow(options.llm.absolute(), llm)) == 0
        bench = Bench(Path(scratch), llm, options.encoder.absolute(), options.seed)
        numbers = {name: 1 + max((t.number for t in trials if t.job == name), default=-1) for name in options.only}
        while len(trials) < options.kills:
            name = min(options.only, key=lambda name: sum(trial.duration for trial in trials if trial.job == name))
            trial = bench.trial(JOBS[name], numbers[name])
            numbers[name] += 1
            if trial is None:
                continue
            trials.append(trial)
            if options.figures:
                with options.figures.open("a") as handle:
                    handle.write(json.dumps(asdict(trial)) + "\n")
    show(trials, list(JOBS))
    return int(any(trial.problem for trial in trials))


def preload(names: Sequence[str]) -> None:
    """Import before forking what the commands would."""
    import mollia_cli.loop.aggregate

    if {"train", "round", "run"} & set(names):
        import mollia_cli.learners.transformer  # noqa: F401


if __name__ == "__main__":
    sys.exit(main())
