"""The real program: in a pseudo-terminal of 80 by 24, killed after a decision; and line by line."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

import mollia_cli
from mollia_cli.domain.labels import LabelSet
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.ingest import ingest

pytestmark = pytest.mark.proof

COMMAND = [sys.executable, "-c", "from mollia_cli.cli.main import main; main()"]
ESCAPES = re.compile(r"\x1b(\[[0-9;?<>=]*[a-zA-Z]|[=>])")
COLOURS = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
SILENT_SECONDS = 120


def environment(**more: str) -> dict[str, str]:
    own = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "MOLLIA_PROJECT")}
    return {**own, "PYTHONPATH": str(Path(mollia_cli.__file__).parents[1]), "TERM": "xterm-256color", **more}


class Terminal:
    """The program in a terminal of its own; ``output`` is everything that it has written."""

    def __init__(self, *arguments: str, **more: str) -> None:
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._modes = termios.tcgetattr(there)
        self._there = there
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdin=there, stdout=there, stderr=there, env=environment(**more), close_fds=True
        )
        self.output = ""
        self._idle = 0

    def _read(self) -> str:
        """What is written within a second; too many silent seconds in a row are a failure."""
        if not select.select([self._here], [], [], 1.0)[0]:
            # seconds are counted, not read off a clock: on a busy machine this process may stand still, too
            self._idle += 1
            assert self._idle < SILENT_SECONDS, f"nothing more after {self.output[-2000:]!r}"
            return ""
        self._idle = 0
        new = os.read(self._here, 65536).decode(errors="replace")
        self.output += new
        return new

    def wait_for(self, words: str) -> None:
        """Read until the words stand in what was written since the last call."""
        new = ""
        while words not in ESCAPES.sub("", new):
            new += self._read()

    def press(self, keys: str) -> None:
        os.write(self._here, keys.encode())

    def end(self) -> int:
        """The exit status, once everything was read; the terminal must be as it was."""
        while self.process.poll() is None or select.select([self._here], [], [], 0.1)[0]:
            self._read()
        assert termios.tcgetattr(self._there) == self._modes
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._here)
        os.close(self._there)


@pytest.fixture
def newcomer(tmp_path: Path) -> Path:
    """A project of 20 texts and nothing else."""
    root = tmp_path / "new"
    create(root, new_settings(LabelSet(("red", "green")), panel=[], encoder="all-minilm-l6-v2"))
    source = tmp_path / "pool.txt"
    source.write_text("\n".join(f"a text about {n}" for n in range(20)))
    with Project.open(root) as project:
        ingest(project, source, "pool", name="pool.txt")
    return root


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_a_decision_survives_kill_9_and_the_same_command_goes_on(newcomer: Path, terminals: list[Terminal]) -> None:
    command = ("label", "--seed", "3", "--who", "anna", "-p", str(newcomer))
    terminals.append(first := Terminal(*command))
    first.wait_for("1 of 3")
    first.press("2")
    first.wait_for("saved: green")
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    with Project.open(newcomer) as project:
        [decision] = project.store.decisions.all()
        assert (decision.label, decision.who, decision.seed) == (1, "anna", True)
        assert [(item.id, item.label) for item in project.store.items.in_split("seed")] == [(decision.item_id, 1)]

    terminals.append(second := Terminal(*command))
    second.wait_for("1 of 2")
    second.press("1")
    second.wait_for("saved: red")
    second.press("nask Ben\r")
    second.wait_for("note: ask Ben")
    second.press("1")
    second.wait_for("That was the last text.")
    second.press("q")
    assert second.end() == 0
    assert "stored: 2 labels, 0 ignored, 1 note, by anna" in second.output
    assert "\x1b[?1049l" in second.output  # the screen from before is back
    with Project.open(newcomer) as project:
        assert sorted(project.store.decisions.labels().values()) == [0, 0, 1]


def test_review_without_colour_until_ctrl_c(observed: Project, terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("review", "--below", "0.9", "-p", str(observed.root), NO_COLOR="1"))
    terminal.wait_for("? help")
    terminal.press("3")
    terminal.wait_for("saved: blue")
    terminal.press("\x03")
    assert terminal.end() == 130
    assert not COLOURS.search(terminal.output)
    assert "least confident first" in terminal.output
    [decision] = observed.store.decisions.all()
    assert decision.label == 2
    assert decision.verdict is not None and (decision.confidence or 1.0) < 0.9


def test_with_colour_there_is_some(newcomer: Path, terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("label", "-p", str(newcomer)))
    terminal.wait_for("1 of 20")
    terminal.press("1")
    terminal.wait_for("saved: red")
    terminal.press("\x1b[D")
    terminal.wait_for("labelled red")
    terminal.press("q")
    assert terminal.end() == 0
    assert COLOURS.search(terminal.output)


def plain(*arguments: str, answers: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *arguments], input=answers, capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_plain_reads_answers_and_prints_decisions(observed: Project) -> None:
    answers = "1\n/note unclear\ngrey\n\n/ignore\n/undo\n/back\nBL\n/quit\n3\n"
    done = plain("review", "--plain", "--who", "anna", "-p", str(observed.root), answers=answers)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(r["act"], r.get("label"), r.get("undone")) for r in records] == [
        ("label", "red", None),
        ("note", None, None),
        ("label", "grey", None),
        ("ignore", None, None),
        ("ignore", None, True),
        ("label", "blue", None),
    ]
    assert all(r["who"] == "anna" and r["verdict"] and 0 < r["confidence"] < 1 for r in records)
    assert records[1]["note"] == "unclear"
    ids = [r["id"] for r in records]
    assert ids[0] != ids[1] == ids[2] != ids[3] == ids[4] != ids[5]
    assert observed.store.decisions.labels() == {ids[0]: 0, ids[2]: 3, ids[5]: 2}
    assert "1 of 100, item" in done.stderr and "verdict: " in done.stderr and "ada: " in done.stderr
    assert "1 red, 2 green, 3 blue, 4 grey" in done.stderr


def test_plain_ends_with_its_input_and_stops_a_script_at_a_wrong_line(newcomer: Path) -> None:
    root = str(newcomer)
    done = plain("label", "--seed", "4", "--plain", "-p", root, answers="1\n2\nblue\n1\n", code=2)
    assert "line 3 of the answers: 'blue' is no label" in done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert "no command is called /undp" in plain("label", "--plain", "-p", root, answers="/undp\n", code=2).stderr
    done = plain("label", "--seed", "4", "--plain", "-p", root, answers="/help\n/find about 1\n2")
    assert "1 of 2, item" in done.stderr
    assert "/undo" in done.stderr
    assert len(done.stdout.splitlines()) == 1
    done = plain("status", "-p", root, answers="")
    assert "people: 3 labels" in done.stdout


def test_without_a_terminal_plain_is_named(newcomer: Path) -> None:
    done = plain("label", "-p", str(newcomer), answers="1\n", code=2)
    assert "needs a terminal" in done.stderr
    assert "--plain" in done.stderr


def test_there_may_be_nothing_to_review(observed: Project) -> None:
    done = plain("review", "--plain", "--below", "0.0", "-p", str(observed.root), answers="")
    assert "nothing to review" in done.stderr
    assert not done.stdout
