"""The number of worked examples that is chosen on the seeds."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from doubles import FakeLLM
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.settings import AUTO
from mollia_cli.loop.needed import fit_seeds
from mollia_cli.loop.setup import open_run
from mollia_cli.loop.shots import Tried, fewest, settle_shots, try_shots
from mollia_cli.project.context import Project
from mollia_cli.project.observe import annotate
from mollia_cli.store.project_files import read_settings

MakeProject = Callable[..., Project]


@pytest.fixture
def undecided(make_project: MakeProject) -> Project:
    """A project whose number of worked examples is to be chosen: none or six, more its 18 seeds do not make."""
    project = make_project()
    path = project.root / "mollia.toml"
    path.write_text(path.read_text().replace("shots = 0", f"shots = {AUTO}"))
    project.settings = read_settings(path)
    return project


def answers(project: Project, right: int) -> list[str]:
    """An answer to each seed: its label for the first so many, else another one."""
    names = project.labels.names
    seeds = [item.label for item in fit_seeds(project) if item.label is not None]
    return [names[label if row < right else (label + 1) % len(names)] for row, label in enumerate(seeds)]


def tried(shots: int, right: Sequence[float]) -> Tried:
    return Tried(shots, np.array(right, dtype=np.float64))


def test_the_number_is_the_fewest_within_noise_of_the_best() -> None:
    half, most = [1, 0] * 25, [1, 1, 1, 1, 0] * 10
    assert fewest([tried(0, half), tried(6, most)]) == 6
    assert fewest([tried(0, most), tried(6, half)]) == 0
    assert fewest([tried(0, half), tried(6, half)]) == 0
    assert fewest([tried(0, half), tried(6, [0, 1, 0, 1, *half[4:-1], 1])]) == 0  # three gained, two lost: noise
    assert fewest([tried(0, half), tried(6, most), tried(12, [0, *most[1:4], 1, *most[5:]])]) == 6


def test_every_seed_is_tried_and_read_with_as_many_examples(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16)])
    assert [(one.shots, one.right.sum()) for one in try_shots(undecided)] == [(0, 5), (6, 16)]
    assert undecided.settings.annotate.shots == AUTO
    assert len(fake_llm.asked) == 2 * 18
    for item in fit_seeds(undecided):
        assert len(fake_llm.read[item.id]) == 6 and item.text not in dict(fake_llm.read[item.id])


@pytest.mark.parametrize(("right", "chosen"), [((5, 16), 6), ((16, 5), 0), ((9, 9), 0)])
def test_the_choice_is_written_down_once(
    undecided: Project, fake_llm: type[FakeLLM], right: tuple[int, int], chosen: int
) -> None:
    said: list[str] = []
    undecided.say = said.append
    fake_llm.queue.extend(answer for count in right for answer in answers(undecided, count))
    settle_shots(undecided)
    path = undecided.root / "mollia.toml"
    assert f"\nshots = {chosen} # chosen on the seeds\n" in path.read_text()
    assert undecided.settings == read_settings(path) and undecided.settings.annotate.shots == chosen
    (remark,) = said
    assert remark.startswith(f"annotate.shots = {chosen}, chosen on 18 seeds")
    assert f"{right[0] / 18:.3f} with 0, {right[1] / 18:.3f} with 6" in remark
    asked = len(fake_llm.asked)
    settle_shots(undecided)
    annotate(undecided, [item.id for item in fit_seeds(undecided)])  # read already, when it was chosen
    assert len(fake_llm.asked) == asked and len(said) == 1


def test_a_run_is_opened_with_what_was_chosen(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    open_run(undecided, "people", annotator="oracle", rounds=1)
    open_run(undecided, "none", rounds=0)
    assert not fake_llm.asked and undecided.settings.annotate.shots == AUTO  # no LLM is asked in either
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16)])
    open_run(undecided, "llms", rounds=1)
    record = undecided.store.runs.record("llms")
    assert record is not None and record["settings"]["annotate"]["shots"] == 6


def test_without_seeds_nothing_is_chosen_yet(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    undecided.store._db.execute("UPDATE items SET split = 'test' WHERE split = 'seed'")
    settle_shots(undecided)
    assert undecided.settings.annotate.shots == AUTO and not fake_llm.asked
    annotate(undecided, undecided.store.items.ids("pool")[:1])
    assert list(fake_llm.read.values()) == [()]


def test_on_the_command_line(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    undecided.use_annotation(shots=0)
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16)])
    result = CliRunner().invoke(app, ["annotate", "--split", "pool", "--limit", "3", "-p", str(undecided.root)])
    assert result.exit_code == 0, result.output
    assert "annotate.shots = 6, chosen on 18 seeds" in result.stderr
    assert all(len(fake_llm.read[item_id]) == 6 for item_id in undecided.store.items.ids("pool")[:3])
