"""Ctrl-C: the batch in flight is finished or undone, the status is 130, and the same command goes on."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mollia_cli
from mollia_cli.annotators.llama import annotator
from mollia_cli.project import observe as annotation
from mollia_cli.project.context import Project

pytestmark = pytest.mark.proof

# A few texts a batch, as if there were more of them.
SMALL = "from mollia_cli.annotators.llama import annotator; annotator._TOGETHER = 1000\n"
# Ctrl-C as soon as the first batch is stored.
STOPPED = """
import os, signal
from mollia_cli.store.observations import ObservationStore
add = ObservationStore.add
def add_and_stop(*given, **named):
    add(*given, **named)
    os.kill(os.getpid(), signal.SIGINT)
ObservationStore.add = add_and_stop
"""
PROGRAM = "from mollia_cli.cli.main import main; main()"


@pytest.mark.parametrize("shots", [0, 3])
def test_annotation_is_stopped_and_goes_on(
    make_real_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, shots: int
) -> None:
    monkeypatch.setattr(annotator, "_TOGETHER", 1000)  # a part of what observations are known by
    project = make_real_project()
    project.use_annotation(shots=shots)
    (member,) = annotation.members(project)
    ids = [item_id for split in ("seed", "pool", "test") for item_id in project.store.items.ids(split)]
    arguments = ["annotate", "-", "-p", str(project.root), "--threads", "1", "--shots", str(shots)]

    def mollia(program: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", SMALL + program, *arguments],
            **{"input": "\n".join(ids), "capture_output": True, "text": True, "check": False},
            env={**os.environ, "PYTHONPATH": str(Path(mollia_cli.__file__).parents[1])},
        )

    stopped = mollia(STOPPED + PROGRAM)
    assert stopped.returncode == 130, stopped.stderr
    assert not stopped.stdout and "Traceback" not in stopped.stderr
    assert f"to go on: {shlex.join(['mollia', *arguments])}" in stopped.stderr
    left = project.store.observations.missing(member.key, ids)
    assert 0 < len(left) < len(ids)
    done = mollia(PROGRAM)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(ids)
    assert not project.store.observations.missing(member.key, ids)
