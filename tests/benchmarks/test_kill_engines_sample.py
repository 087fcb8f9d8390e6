"""Two of the kills of benchmarks/kill_engines.py."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import mollia_cli

ROOT = Path(mollia_cli.__file__).parents[1]
KILL = ROOT / "benchmarks" / "kill_engines.py"


@pytest.mark.proof
@pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed: pip install 'mollia[dask]'")
def test_no_row_is_lost_by_a_few_kills(test_llm: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.jsonl"
    program = [sys.executable, str(KILL), "--llm", str(test_llm), "--figures", str(figures), "--kills", "1"]
    this_tree = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [*program, "--only", "dask-worker", "dask-driver"], capture_output=True, text=True, check=False, env=this_tree
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kills, 0 with a problem" in done.stdout
    found = [json.loads(line) for line in figures.read_text().splitlines()]
    assert [trial["rows"] for trial in found] == [12, 12] and not any(trial["left"] for trial in found)
