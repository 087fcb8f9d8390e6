"""The memory of each LLM and of a training, as a real panel and a real training take it (the paper's Table 6)."""

import mmap
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mollia_cli.annotators.llama.binding.formats import reencode
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.memory import Peak
from mollia_cli.domain.report import Cost
from mollia_cli.domain.settings import PanelSettings
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.insight.report import report
from mollia_cli.learners.base import FitReport
from mollia_cli.loop import train
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.loop.train import Labelled, train_learner
from mollia_cli.project.context import Project
from mollia_cli.project.observe import annotate, models_kept
from mollia_cli.reports.page import page

MakeProject = Callable[..., Project]
MB = 2**20
pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel's mark cannot be set back"),
]


def memory_of(project: Project) -> dict[str, int]:
    return {row["name"]: row["memory"] for row in project.store.observations.summary()}


@pytest.fixture
def panel_of_two(make_real_project: MakeProject, quick_llm: Path, tmp_path: Path) -> Project:
    """The test LLM, and after it one with a few of its layers."""
    shallow = tmp_path / "shallow.gguf"
    reencode(quick_llm, shallow, "", threads=1, layers=4)
    project = make_real_project()
    project.settings = replace(
        project.settings, panel=PanelSettings((MemberSpec(str(quick_llm)), MemberSpec(str(shallow))))
    )
    return project


@pytest.mark.parametrize("kept", [False, True])
def test_each_llm_has_its_own_peak(panel_of_two: Project, kept: bool, quick_llm: Path, tmp_path: Path) -> None:
    project, ids = panel_of_two, panel_of_two.store.items.ids("pool")
    if kept:
        with models_kept(project):
            annotate(project, ids[:20])
            annotate(project, ids)
    else:
        annotate(project, ids)
    whole, shallow = memory_of(project).values()
    sizes = [path.stat().st_size for path in (quick_llm, tmp_path / "shallow.gguf")]
    assert whole > sizes[0] and shallow > sizes[1]  # mapped weights are resident
    files = sizes[0] - sizes[1]
    # The first one's peak, or its weights, are not the second's. What they share (Python's own objects, buffers that
    # the allocator has not given back) is the one's or the other's: less than 1 MB either way was seen.
    assert files - 4 * MB < whole - shallow < files + 100 * MB


def test_a_training_is_measured_and_reported(make_real_project: MakeProject) -> None:
    project = make_real_project()
    run, setup = open_run(project, "main", strategy="random", rounds=1)
    rounds = run_rounds(project, run, setup, 1)
    memory = [record.memory or 0 for record in rounds]
    assert min(memory) > 300 * MB  # Python, PyTorch, and an encoder with its gradients
    found = report(project, run)
    assert isinstance(found.cost, Cost)
    assert [llm.memory for llm in found.cost.llms] == [*memory_of(project).values()]
    assert [record.memory for record in found.cost.rounds] == memory
    assert str(round(memory[0] / MB)) in page(found).replace(",", "")
    assert [record.memory for record in rounds] == memory


def test_llms_that_stay_loaded_are_no_part_of_a_training(
    make_real_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, llm = make_real_project(), Peak()
    monkeypatch.setattr(train, "new_learner", lambda *_: Greedy(200))
    seed = project.store.items.in_split("seed")
    config = open_run(project, "main")[1]

    def memory() -> int:
        return train_learner(project, Labelled(seed, [], Verdicts.none(len(project.labels))), 0, config)[2] or 0

    alone = memory()
    project.loaded = {}
    with llm:
        weights = touched(150)
    project.loaded["key"] = (None, llm)  # type: ignore[assignment]
    assert memory() == pytest.approx(alone, abs=20 * MB)
    project.loaded = None
    assert memory() == pytest.approx(alone + 150 * MB, abs=20 * MB)
    assert alone > 200 * MB
    weights.close()


class Greedy:
    """A learner that takes so many MB while it trains."""

    frozen = False

    def __init__(self, size: int) -> None:
        self._size = size

    def fit(self, *_: Any) -> FitReport:
        touched(self._size).close()
        return FitReport(1, 1, False, 0.0)

    def longer(self, texts: list[str]) -> int:
        return 0

    def predict_proba(self, texts: Sequence[str], *_: Any) -> Any:
        return np.ones((len(texts), 6))


def touched(size: int) -> mmap.mmap:
    """So many MB of resident memory; closing it gives them back."""
    made = mmap.mmap(-1, size * MB)
    for place in range(0, size * MB, mmap.PAGESIZE):
        made[place] = 1
    return made
