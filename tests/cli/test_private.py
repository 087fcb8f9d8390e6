"""Private by default: a whole small job under umask 000 leaves nothing that others may read, and no stray texts."""

import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mollia_cli.cli.main import main
from mollia_cli.machine.demo import LABELS, demo_messages

CANARY = "Zephyrine"
WRITING = os.O_WRONLY | os.O_RDWR


class Job:
    """Commands as they are typed, in this process, under umask 000 and within a folder of their own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.home, self.root, self.temporary = folder / "home", folder / "project", folder / "tmp"
        self.written: set[str] = set()  # every file that Python has opened to write
        self._listening = False
        self._patch = patch
        self.temporary.mkdir()
        patch.setenv("MOLLIA_HOME", str(self.home))
        patch.setenv("MOLLIA_PROJECT", str(self.root))
        patch.setattr(tempfile, "tempdir", str(self.temporary))
        patch.setattr("mollia_cli.cli.main.guard", lambda: None)  # for it would stay, and other tests use sockets
        sys.addaudithook(self._listen)

    def __call__(self, *arguments: str) -> None:
        self._patch.setattr(sys, "argv", ["mollia", *arguments])
        before, self._listening = os.umask(0), True
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            os.umask(before)
            self._listening = False  # a hook cannot be taken off again
        assert ended.value.code in (0, None), arguments

    def _listen(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._listening and event == "open":
            path, _, flags = arguments
            if isinstance(path, (str, bytes)) and (flags or 0) & WRITING:
                self.written.add(os.fsdecode(path))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, shallow_llm: Path, test_encoder: Path) -> Iterator[Job]:
    """From `mollia init` to a report."""
    patch = pytest.MonkeyPatch()
    tmp_path = tmp_path_factory.mktemp("private")
    made = Job(tmp_path, patch)
    rows: dict[str, list[dict[str, str]]] = {"seed": [], "pool": []}
    for message in demo_messages():
        if message["split"] in rows and len(rows[message["split"]]) < 18:
            rows[message["split"]].append({"text": f"{message['text']} {CANARY}", "label": message["label"]})
    for split, some in rows.items():
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, some)))
    made("models", "add", str(shallow_llm))
    made("init", str(made.root), "--labels", ",".join(LABELS), "--encoder", str(test_encoder))
    settings = made.root / "mollia.toml"
    text = settings.read_text()
    for old, new in (
        ("epochs = 40", "epochs = 1"),
        ("unlabelled = 500", "unlabelled = 6"),
        ("batch = 50", "batch = 4"),
    ):
        assert old in text
        text = text.replace(old, new)
    settings.write_text(text)
    for split in rows:
        made("import", str(tmp_path / f"{split}.jsonl"), "--split", split)
    made("run", "--rounds", "1", "--strategy", "random", "--aggregator", "mean_logits")
    made("export", "labels", "-o", str(made.root / "labels.csv"))
    made("export", "dataset", "-o", str(made.root / "dataset"))
    made("report", "-o", str(made.root / "report.html"))
    yield made
    patch.undo()


@pytest.mark.proof
def test_nothing_is_open_to_others(job: Job) -> None:
    paths = [path for root in (job.root, job.home) for path in (root, *root.rglob("*"))]
    # a model that was added by its path is a link to the user's own file, whose mode is the user's
    modes = {str(p): stat.S_IMODE(p.stat().st_mode) for p in paths if p.is_dir() or p.stat().st_nlink == 1}
    kept = {"keys", "vectors.3x384.float16"}  # of embeddings
    assert {"mollia.db", "llama.log", "prompt.txt", "labels.csv"} | kept <= {p.name for p in paths}
    assert {path: oct(mode) for path, mode in modes.items() if mode not in (0o600, 0o700)} == {}
    assert all((mode == 0o700) == Path(path).is_dir() for path, mode in modes.items())


@pytest.mark.proof
def test_logs_hold_no_texts(job: Job) -> None:
    log = (job.root / "llama.log").read_bytes()
    assert log
    assert CANARY.encode() not in log


@pytest.mark.proof
def test_files_are_written_in_the_project_and_nowhere_else(job: Job) -> None:
    ours = (
        str(job.root),
        str(job.home),
        os.devnull,
        "/proc/self/clear_refs",
    )  # no file: it sets back the peak of memory
    assert len(job.written) > 10
    assert {path for path in job.written if not path.startswith(ours)} == set()
    assert [path for path in job.temporary.rglob("*") if path.is_file()] == []
    unfinished = [p.name for p in job.root.rglob("*") if p.suffix in (".part", ".new", ".unfinished", ".tmp")]
    assert unfinished == []
