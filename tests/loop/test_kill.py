"""kill -9 in each phase: the same command continues to the result of an undisturbed run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mollia_cli
from mollia_cli.project.context import Project

pytestmark = pytest.mark.proof

MakeProject = Callable[..., Project]
PHASES = ("train", "save", "evaluate", "select", "selected", "annotate", "fit", "aggregate")


def run(folder: Path, replay: Path, *phases: str) -> None:
    program = Path(__file__).with_name("killed.py")
    this_tree = {**os.environ, "PYTHONPATH": str(Path(mollia_cli.__file__).parents[1])}
    command = [sys.executable, str(program), str(folder), str(replay), *phases]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=this_tree)
    assert done.returncode == 0, done.stderr


def test_kill_9_in_each_phase(
    make_real_project: MakeProject, stored_outputs: Callable[[Project], Path], tmp_path: Path
) -> None:
    project = make_real_project("killed")
    whole = shutil.copytree(project.root, tmp_path / "whole")
    replayed = stored_outputs(project)
    run(whole, replayed)
    run(project.root, replayed, *PHASES)
    with Project.open(whole) as undisturbed:
        assert project.store.runs.selections("main") == undisturbed.store.runs.selections("main")
        rounds = [[(r.number, r.fit, r.metrics) for r in p.store.runs.rounds("main")] for p in (project, undisturbed)]
        assert rounds[0] == rounds[1]
        said = [[row | {"seconds": 0} for row in p.store.observations.summary()] for p in (project, undisturbed)]
        assert said[0] == said[1]
    for number in (0, 1):
        weights = f"models/main/round-{number:02d}/model.safetensors"
        assert (project.root / weights).read_bytes() == (whole / weights).read_bytes()
    assert not list(project.root.rglob("*.part"))
