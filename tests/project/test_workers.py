"""Reading on worker processes: the same bits as one process, whatever ends, and nobody who is somebody else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mollia_cli
from mollia_cli.annotators.base import Annotator
from mollia_cli.annotators.llama import annotator as llama
from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.observations import Observation
from mollia_cli.engines import local
from mollia_cli.project import observe as annotation
from mollia_cli.project import workers
from mollia_cli.project.context import Project
from mollia_cli.project.panel import panel_annotators
from mollia_cli.project.record import settings_record
from mollia_cli.store.project_files import read_settings, write_panel

# A few texts a batch, as if there were more of them; that is a part of what observations are known by.
SMALL = "from mollia_cli.annotators.llama import annotator; annotator._TOGETHER = 400\n"
WORKER = "from mollia_cli.engines.worker import main; main()\n"
THERE = f"from mollia_cli.engines import local; local.COMMAND = ('-c', {SMALL + WORKER!r})\n"
MAIN = "from mollia_cli.cli.main import main; main()\n"
# The command says where it is after its first batch, and waits there.
WAITS = """
import os, sys, time
from mollia_cli.store.observations import ObservationStore
add = ObservationStore.add
def add_and_wait(*given, **named):
    add(*given, **named)
    print("stored", *open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read().split(), flush=True)
    time.sleep(60)
ObservationStore.add = add_and_wait
"""
TREE = {"PYTHONPATH": str(Path(mollia_cli.__file__).parents[1])}
MakeProject = Callable[..., Project]


class Answers:
    """Observations with every bit; a store rounds them. ``every``: hears of each batch."""

    def __init__(self, every: Callable[[], None] = lambda: None) -> None:
        self.seen: dict[str, Observation] = {}
        self.added: list[str] = []
        self.seconds = 0.0
        self._every = every

    def register(self, name: str, identity: Mapping[str, Any]) -> str:
        return "key"

    def missing(self, key: str, ids: Sequence[str]) -> list[str]:
        return [item_id for item_id in ids if item_id not in self.seen]

    def add(
        self, key: str, batch: Sequence[Observation], seconds: float | None = None, memory: int | None = None
    ) -> None:
        self.added += [seen.item_id for seen in batch]
        self.seen |= {seen.item_id: seen for seen in batch}
        self.seconds += seconds or 0.0
        assert memory is None or memory > 1 << 20
        self._every()

    def bits(self) -> dict[str, tuple[Any, ...]]:
        return {
            item_id: (seen.log_probs.tobytes(), seen.votes.tobytes(), *astuple(seen)[3:])
            for item_id, seen in self.seen.items()
        }


@pytest.fixture
def project(make_real_project: MakeProject, shallow_llm: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of 70 texts, whose LLM has four layers and reads 400 characters at once."""
    monkeypatch.setattr(llama, "_TOGETHER", 400)
    monkeypatch.setattr(local, "COMMAND", ("-c", SMALL + WORKER))
    project = make_real_project()
    write_panel(project.root / "mollia.toml", [MemberSpec(str(shallow_llm))])
    project.settings = read_settings(project.root / "mollia.toml")
    project.use_threads(1)
    return project


def all_ids(project: Project) -> list[str]:
    return [item_id for split in ("seed", "pool", "test") for item_id in project.store.items.ids(split)]


def read(project: Project, every: Callable[[], None] = lambda: None, **how: Any) -> Answers:
    """What the panel says of all texts where it reads them so."""
    project.use_annotation(**how)
    answers = Answers(every)
    annotation.observe(project, panel_annotators(project), all_ids(project), answers)
    assert sorted(answers.added) == sorted(all_ids(project))  # nothing lost, nothing twice
    assert 0.0 < answers.seconds < 120.0
    return answers


def children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


@pytest.mark.proof
@pytest.mark.parametrize("shots", [0, 3])
def test_one_process_and_several_give_the_same_bits(project: Project, shots: int) -> None:
    alone = read(project, shots=shots, workers=1)
    assert not children()
    asked: list[list[int]] = []
    many = read(project, lambda: asked.append(children()), workers=2)
    assert many.bits() == alone.bits()
    assert {len(pids) for pids in asked} == {2} and not children()


@pytest.mark.proof
def test_a_worker_that_is_killed_loses_nothing(project: Project) -> None:
    alone = read(project, workers=1)
    killed: list[int] = []

    def kill() -> None:
        if len(killed) < 3:
            killed.extend([pid for pid in children() if pid not in killed][:1])
            os.kill(killed[-1], signal.SIGKILL)

    assert read(project, kill, workers=2).bits() == alone.bits()
    assert len(set(killed)) == 3 and not children()


@pytest.mark.proof
def test_texts_that_end_their_workers_are_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    dies = "from mollia_cli.project import reading; reading.observe = lambda *_: __import__('os').abort()\n"
    monkeypatch.setattr(local, "COMMAND", ("-c", SMALL + dies + WORKER))
    with pytest.raises(RefusedError, match=r"that .* reads together ended 3 workers, the last one by SIGABRT") as error:
        read(project, workers=2)
    assert any(item_id in error.value.message for item_id in all_ids(project))
    assert not children()


@pytest.mark.proof
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_a_command_that_is_ended_leaves_nobody_and_goes_on(project: Project, how: signal.Signals) -> None:
    command = ["annotate", "-", "-p", str(project.root), "--threads", "1", "--workers", "2"]
    ids = "\n".join(all_ids(project))

    def start(program: str) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            [sys.executable, "-c", SMALL + THERE + program, *command],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True},
            env={**os.environ, **TREE},
        )
        assert started.stdin is not None
        started.stdin.write(ids)
        started.stdin.close()
        started.stdin = None
        return started

    ended = start(WAITS + MAIN)
    assert ended.stdout is not None
    said = ended.stdout.readline().split()
    pids = [int(pid) for pid in said[1:]]
    assert said[:1] == ["stored"] and len(pids) == 2
    ended.send_signal(how)
    _, stderr = ended.communicate()
    assert ended.returncode == {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130}[how], stderr
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    (member,) = annotation.members(project)
    left = project.store.observations.missing(member.key, all_ids(project))
    assert 0 < len(left) < len(all_ids(project))
    again = start(MAIN)
    stdout, stderr = again.communicate()
    assert again.returncode == 0, stderr
    assert len(stdout.splitlines()) == len(all_ids(project))
    stored = project.store.observations.get(member.key, all_ids(project))
    for item_id, seen in read(project, workers=1).seen.items():
        np.testing.assert_array_equal(stored[item_id].log_probs, np.round(seen.log_probs, 7))


@pytest.mark.proof
def test_the_models_stay_loaded_where_they_are_kept(project: Project) -> None:
    asked: list[list[int]] = []
    with annotation.models_kept(project):
        read(project, lambda: asked.append(children()), workers=2)
        assert len(children()) == 2
        begin = time.monotonic()
        read(project, lambda: asked.append(children()), workers=2)
        assert time.monotonic() - begin < 60
    assert len({tuple(pids) for pids in asked}) == 1 and not children()


class TestHandshake:
    """A worker reads only where it is a copy of this machine, or where that is said to make no difference."""

    # as if another processor were found on the worker's machine
    OTHER = "from mollia_cli.project import kernels; kernels.engine_system = lambda: 'another processor'\n"

    @pytest.fixture
    def elsewhere(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
        monkeypatch.setattr(local, "COMMAND", ("-c", SMALL + self.OTHER + WORKER))
        return project

    @pytest.mark.proof
    def test_another_processor_is_refused(self, elsewhere: Project) -> None:
        with pytest.raises(RefusedError, match="system 'another processor', here '") as error:
            read(elsewhere, workers=2)
        assert "process " in error.value.message and "--mixed" in error.value.hint

    @pytest.mark.proof
    def test_mixed_takes_it_as_an_annotator_of_its_own(self, elsewhere: Project) -> None:
        (before,) = panel_annotators(elsewhere)
        seen = read(elsewhere, workers=2, mixed=True)
        (mixed,) = panel_annotators(elsewhere)
        assert mixed.identity == read_identity(before) and len(seen.seen) == len(all_ids(elsewhere))

    @pytest.mark.proof
    def test_another_mollia_is_never_the_same(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        other = "from mollia_cli.project import reading; reading.__version__ = '9.9'\n"
        monkeypatch.setattr(local, "COMMAND", ("-c", SMALL + other + WORKER))
        with pytest.raises(RefusedError, match=r"mollia '9\.9', here '") as error:
            read(project, workers=2, mixed=True)
        assert "same version of mollia" in error.value.hint

    @pytest.mark.proof
    def test_a_worker_that_comes_later_is_looked_at_as_well(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def other() -> None:
            monkeypatch.setattr(local, "COMMAND", ("-c", SMALL + self.OTHER + WORKER))
            os.kill(children()[0], signal.SIGKILL)

        with pytest.raises(RefusedError, match="system 'another processor', here '"):
            read(project, other, workers=2)

    @pytest.mark.proof
    def test_a_model_that_is_not_there_is_named(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        gone = "from mollia_cli import models; models.installed_names = lambda *_, **__: []\n"
        gone += "from pathlib import Path; Path.is_file = lambda _: False\n"
        monkeypatch.setattr(local, "COMMAND", ("-c", SMALL + gone + WORKER))
        with pytest.raises(NotFoundError, match=r"process .* has no file of .*SHA-256") as error:
            read(project, workers=2)
        assert "mollia unbundle" in error.value.hint


def read_identity(annotator: Annotator) -> dict[str, Any]:
    """Its identity where machines are mixed."""
    machine = ("engine", "system", "extra_buffers", "gpu_layers")
    return {"mixed": True, **{key: value for key, value in annotator.identity.items() if key not in machine}}


class TestHowMany:
    """The number of worker processes, where the settings leave it open."""

    @pytest.fixture
    def large(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
        monkeypatch.setattr(workers, "cores", lambda: 4)
        monkeypatch.setattr(workers, "available", lambda: 64 << 30)
        monkeypatch.setattr(workers, "uses_gpu", lambda: False)
        project.use_annotation(threads=0)
        return project

    @pytest.mark.parametrize(
        ("how", "expected"),
        [
            ({}, 4),
            ({"threads": 2}, 0),
            ({"threads": 1, "workers": 2}, 2),
            ({"workers": 3}, 3),
            ({"workers": 1}, 0),
            ({"threads": 4, "workers": 7}, 7),
        ],
    )
    def test_one_a_core_or_as_many_as_are_asked_for(self, large: Project, how: dict[str, int], expected: int) -> None:
        large.use_annotation(**{"threads": 0, **how})
        assert self.number(large) == expected

    def test_no_more_than_half_of_the_memory_has_room_for(
        self, large: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (member,) = panel_annotators(large)
        monkeypatch.setattr(workers, "available", lambda: 8 * member.size)
        assert self.number(large) == 4
        monkeypatch.setattr(workers, "available", lambda: 8 * member.size - 1)
        assert self.number(large) == 0  # three processes are slower than four threads

    def test_one_where_a_gpu_reads(self, large: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workers, "uses_gpu", lambda: True)
        assert self.number(large) == 0

    @pytest.mark.parametrize(
        ("cores", "batches", "expected"),
        [(1, 1000, 0), (2, 2, 0), (2, 4, 2), (2, 5, 0), (2, 6, 2), (2, 1000, 2), (8, 16, 8), (8, 17, 0), (64, 100, 50)],
    )
    def test_batches_that_keep_all_of_them_busy(
        self, large: Project, monkeypatch: pytest.MonkeyPatch, cores: int, batches: int, expected: int
    ) -> None:
        monkeypatch.setattr(workers, "cores", lambda: cores)
        monkeypatch.setattr(workers, "batches_of", lambda *_: iter(range(batches)))
        assert self.number(large) == expected

    def test_batches_are_counted_as_they_are_read(self, large: Project) -> None:
        assert self.number(large, all_ids(large)[:8]) == 0

    @pytest.mark.parametrize(
        ("how", "expected"),
        [({}, 1.0), ({"workers": 2}, 0.5), ({"workers": 2, "threads": 1}, 2.0), ({"workers": 6}, 1.0)],
    )
    def test_how_much_quicker_an_estimate_takes_them_for(
        self, large: Project, how: dict[str, int], expected: float
    ) -> None:
        large.use_annotation(**{"threads": 0, **how})
        panel = panel_annotators(large)
        assert workers.speed_up(large, panel[0], panel, all_ids(large)) == expected
        assert not children()

    def number(self, project: Project, ids: Sequence[str] = ()) -> int:
        panel = panel_annotators(project)
        return workers.workers_of(project, panel[0], panel, ids or all_ids(project))


def test_who_has_no_recipe_reads_here(make_project: MakeProject) -> None:
    project = make_project()
    project.use_annotation(workers=2)
    panel = panel_annotators(project)
    assert panel[0].recipe() is None
    assert not workers.workers_of(project, panel[0], panel, all_ids(project))


def test_an_address_of_no_engine_is_refused(make_project: MakeProject) -> None:
    project = make_project()
    project.use_annotation(address="tcp://10.0.0.1:8786")
    with pytest.raises(InputError, match="the engine local has no address"):
        annotation.annotate(project, all_ids(project))
    assert not project.store.observations.count() and not children()


def test_an_engine_that_there_is_not(make_project: MakeProject) -> None:
    with pytest.raises(InputError, match="annotate: engine: no engine is called 'locla'") as error:
        make_project().use_annotation(engine="locla")
    assert "did you mean 'local'?" in error.value.hint


def test_where_it_was_read_is_no_part_of_a_run(make_project: MakeProject) -> None:
    project = make_project()
    project.use_annotation(workers=2, mixed=True)
    recorded = settings_record(project.settings)["annotate"]
    assert not {"engine", "address", "workers"} & recorded.keys() and recorded["mixed"] is True
