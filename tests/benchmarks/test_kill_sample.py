"""A sample of benchmarks/kill.py: real commands, killed at random moments."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mollia_cli

pytestmark = pytest.mark.proof

KILL = Path(__file__).parents[2] / "benchmarks" / "kill.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the kills are dealt to forked processes")
def test_nothing_is_lost_by_a_few_kills(test_llm: Path, test_encoder: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.jsonl"
    program = [sys.executable, str(KILL), "--llm", str(test_llm), "--encoder", str(test_encoder)]
    scale = ["--kills", "4", "--figures", str(figures), "--only", "import", "review"]
    this_tree = {**os.environ, "PYTHONPATH": str(Path(mollia_cli.__file__).parents[1]), "TMPDIR": str(tmp_path)}
    done = subprocess.run([*program, *scale], capture_output=True, text=True, check=False, env=this_tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kills, 0 with a problem" in done.stdout
    assert len(figures.read_text().splitlines()) == 4
