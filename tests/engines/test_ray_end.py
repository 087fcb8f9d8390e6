"""What ends the processes that Ray has left: all that have a file of the session's folder open, but who started it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

HOLDS = "import sys, time; held = open(sys.argv[1] + '/' + 'log', 'w'); print('', flush=True); time.sleep(60)"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only where /proc says which files are open")
def test_what_is_left_is_ended_and_who_asked_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    with (folder / "own").open("w"):
        left = subprocess.Popen([sys.executable, "-c", HOLDS, str(folder)], stdout=subprocess.PIPE)
        assert left.stdout is not None and left.stdout.readline()
        program = [sys.executable, "-P", "-m", "mollia_cli.engines.ray_end", str(folder)]
        ending = subprocess.Popen(program, stdin=subprocess.PIPE)
        assert ending.stdin is not None and left.poll() is None
        ending.stdin.close()
        assert ending.wait(20) == 0 and left.wait(5) == -signal.SIGKILL
    assert not folder.exists()
