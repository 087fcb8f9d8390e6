"""The number of worked examples that is chosen on the seeds."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from doubles import FakeLLM, answers, fake_file, heard
from typer.testing import CliRunner

from mollia_cli import api
from mollia_cli.cli.main import app
from mollia_cli.domain.items import Item
from mollia_cli.domain.settings import AUTO
from mollia_cli.insight.evaluate import evaluate_panel
from mollia_cli.insight.rerun import rerun
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.loop.cascade import aggregate_cascade
from mollia_cli.loop.estimate import estimate
from mollia_cli.loop.needed import fit_seeds, needed_for_fit, next_items
from mollia_cli.loop.round import advance
from mollia_cli.loop.run import run_repeats, run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.loop.shots import Tried, readings, settle_prompt, simplest, try_prompts
from mollia_cli.project.context import Project
from mollia_cli.project.observe import annotate
from mollia_cli.project.panel import change_panel
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


def add_seeds(project: Project, count: int) -> None:
    items = [Item(f"new{n}", f"a new text {n}", "seed", n % len(project.labels)) for n in range(count)]
    with project.store.transaction():
        project.store.items.add(items, "more")


def shots_of(project: Project, run: str) -> int:
    """The number in the run's record."""
    record = project.store.runs.record(run)
    assert record is not None
    return int(record["settings"]["annotate"]["shots"])


def tried(shots: int, right: Sequence[float]) -> Tried:
    return Tried(shots, np.array(right, dtype=np.float64))


def test_the_number_is_the_fewest_within_noise_of_the_best() -> None:
    half, most = [1, 0] * 25, [1, 1, 1, 1, 0] * 10
    assert simplest([tried(0, half), tried(6, most)]).shots == 6
    assert simplest([tried(0, most), tried(6, half)]).shots == 0
    assert simplest([tried(0, half), tried(6, half)]).shots == 0
    assert simplest([tried(0, half), tried(6, [0, 1, 0, 1, *half[4:-1], 1])]).shots == 0  # three to two: noise
    assert simplest([tried(0, half), tried(6, [1, 1, *half[2:]])]).shots == 0  # one seed alone
    assert simplest([tried(0, half), tried(6, [1, 1, 1, 1, 1, 1, *half[6:]])]).shots == 6
    assert simplest([tried(0, half), tried(6, most), tried(12, [0, *most[1:4], 1, *most[5:]])]).shots == 6


def test_every_seed_is_tried_and_read_with_as_many_examples(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16)])
    assert [(one.shots, one.right.sum()) for one in try_prompts(undecided)] == [(0, 5), (6, 16)]
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
    settle_prompt(undecided)
    path = undecided.root / "mollia.toml"
    assert f"\nshots = {chosen} # chosen on the seeds\n" in path.read_text()
    assert undecided.settings == read_settings(path) and undecided.settings.annotate.shots == chosen
    before, remark = said
    assert before.startswith("choosing annotate.shots: fake-llm read 18 seeds with 0 and 6 worked examples")
    assert remark.startswith(f"annotate.shots = {chosen}, chosen on 18 seeds")
    assert f"{right[0] / 18:.3f} with 0, {right[1] / 18:.3f} with 6" in remark
    asked = len(fake_llm.asked)
    settle_prompt(undecided)
    annotate(undecided, [item.id for item in fit_seeds(undecided)])  # read already, when it was chosen
    assert len(fake_llm.asked) == asked and len(said) == 2


def test_more_are_not_tried_where_some_did_not_help(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    add_seeds(undecided, 12)
    fake_llm.queue.extend([*answers(undecided, 15), *answers(undecided, 16)])
    assert [one.shots for one in try_prompts(undecided)] == [0, 6]
    assert len(fake_llm.asked) == 2 * 30


def test_twice_as_many_are_tried_where_some_helped(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    add_seeds(undecided, 12)
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16), *answers(undecided, 25)])
    assert [one.shots for one in try_prompts(undecided)] == [0, 6, 12]
    assert len(fake_llm.asked) == 3 * 30
    said = heard(undecided)
    settle_prompt(undecided)
    assert undecided.settings.annotate.shots == 12 and len(fake_llm.asked) == 3 * 30
    assert "0.167 with 0, 0.533 with 6, 0.833 with 12" in said[-1]


def test_a_run_chooses_before_its_llms_first_read(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    run, config = open_run(undecided, "a", rounds=2)
    assert advance(undecided, run, config) and not fake_llm.asked  # round 0 does not wait for them
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16)])
    first = advance(undecided, run, config)
    assert first is not None and first.seconds["examples"] >= 0 and shots_of(undecided, run) == 6
    assert read_settings(undecided.root / "mollia.toml").annotate.shots == 6
    pool = {*undecided.store.items.ids("pool")}.intersection(fake_llm.read)
    assert pool and {len(fake_llm.read[item_id]) for item_id in pool} == {6}
    assert len(fake_llm.asked) == 2 * 18 + len(pool)  # nothing was read twice with as many
    said = heard(undecided)
    again = advance(undecided, *open_run(undecided, "a"))
    assert again is not None and "examples" not in again.seconds
    assert not [remark for remark in said if "shots" in remark]
    assert rerun(undecided, "a").same


def test_a_run_goes_on_choosing_where_it_was_stopped(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    run, config = open_run(undecided, "a", rounds=1)
    advance(undecided, run, config)
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16)[:10], KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        advance(undecided, run, config)
    assert read_settings(undecided.root / "mollia.toml").annotate.shots == shots_of(undecided, run) == AUTO
    assert len(undecided.store.runs.rounds(run)) == 1
    asked = len(fake_llm.asked)
    fake_llm.queue.extend(answers(undecided, 16)[8:])  # the batch of eight before was kept
    advance(undecided, run, config)
    assert shots_of(undecided, run) == 6
    assert fake_llm.asked[asked : asked + 10] == [item.id for item in fit_seeds(undecided)][8:]


def test_repeats_choose_once(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16)])
    said = heard(undecided)
    run_repeats(undecided, "a", 2, rounds=1)
    assert shots_of(undecided, "a") == shots_of(undecided, "a.2") == 6
    assert len([remark for remark in said if "chosen on 18 seeds" in remark]) == 1
    assert not [remark for remark in said if "was opened with" in remark]


def test_people_and_round_0_wait_for_no_llm(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    run_rounds(undecided, *open_run(undecided, "people", annotator="oracle", rounds=1), 1)
    run_rounds(undecided, *open_run(undecided, "none", rounds=0), 0)
    assert not fake_llm.asked and undecided.settings.annotate.shots == AUTO
    undecided.use_annotation(shots=6)  # another run has chosen it
    said = heard(undecided)
    open_run(undecided, "none", rounds=1)
    assert not [remark for remark in said if "was opened with" in remark]


def test_the_papers_run_is_without_any(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    said = heard(undecided)
    encoder = {"encoder": undecided.settings.learner.encoder, "name": "transformer", "epochs": 2}
    changes = {"learner": encoder, "strategy": "random", "batch": 5, "rounds": 2}
    run_rounds(undecided, *open_run(undecided, "p", paper=True, **changes), 1)
    run_rounds(undecided, *open_run(undecided, "p"), 2)  # it goes on without being asked for the paper's again
    assert {*fake_llm.read.values()} == {()} and len(undecided.store.runs.rounds("p")) == 3
    assert undecided.settings.annotate.shots == AUTO and shots_of(undecided, "p") == 0
    assert not [remark for remark in said if "shots" in remark]
    fake_llm.queue.extend([*answers(undecided, 16)])  # without any they were read in the paper's run
    run_rounds(undecided, *open_run(undecided, "ours", rounds=1), 1)
    assert shots_of(undecided, "ours") != AUTO


def test_too_few_seeds_are_read_without_and_it_is_said(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    undecided.store._db.execute(
        "UPDATE items SET split = 'test' WHERE id IN (SELECT id FROM items WHERE split = 'seed' LIMIT 7)"
    )
    said = heard(undecided)
    run_rounds(undecided, *open_run(undecided, "a", rounds=1), 1)
    (remark,) = (remark for remark in said if "worked examples" in remark)
    assert "cannot be chosen on 11 labelled seeds (12 or more" in remark and "annotate.shots = 0" in remark
    assert {*fake_llm.read.values()} == {()}
    before = len({*fake_llm.asked}.intersection(undecided.store.items.ids("pool")))
    assert undecided.settings.annotate.shots == AUTO and shots_of(undecided, "a") == 0
    add_seeds(undecided, 12)
    run_rounds(undecided, *open_run(undecided, "a", rounds=2), 2)
    assert {*fake_llm.read.values()} == {()}  # the run goes on as it began
    fake_llm.queue.extend(answers(undecided, 20))  # without any the seeds were read in the run
    settle_prompt(undecided)
    assert undecided.settings.annotate.shots == 6
    read = len({*fake_llm.asked}.intersection(undecided.store.items.ids("pool")))
    assert read >= before and f"; {read} texts of the pool, read without, will be read again" in said[-1]
    open_run(undecided, "a")
    assert said[-2] == "run a was opened with annotate.shots 0, not 6: its next rounds will differ from those it has"


def test_an_estimate_counts_what_is_read_for_the_choice(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    add_seeds(undecided, 12)
    seeds = {item.id for item in fit_seeds(undecided)}
    tokens = {}
    for shots in (AUTO, 0):
        undecided.use_annotation(shots=shots)
        tokens[shots] = estimate(undecided, texts=4, strategy="random", rounds=1).tokens
    assert len(fake_llm.asked) == 5 + 5 and {*fake_llm.asked[:5]} <= seeds  # which are needed whatever is chosen
    each = tokens[0].expected / (len(needed_for_fit(undecided)) + 5 - 10)
    more = tokens[AUTO].expected - tokens[0].expected
    assert 1.2 * len(seeds) * each < more < 2 * len(seeds) * each  # once more, and perhaps twice


def test_an_evaluation_chooses_too(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16)])
    evaluate_panel(undecided, "test")
    assert undecided.settings.annotate.shots == 6
    test = undecided.store.items.ids("test")
    assert {len(fake_llm.read[item_id]) for item_id in test} == {6}


def test_the_api_chooses_too(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16)])
    with api.Project.open(undecided.root) as project:
        test = project.store.items.ids("test")
        project.annotate(test)
        assert project.settings.annotate.shots == 6
    assert {len(fake_llm.read[item_id]) for item_id in test} == {6}


def test_a_cascade_chooses_by_its_own_llms(undecided: Project, fake_llm: type[FakeLLM], tmp_path: Path) -> None:
    change_panel(undecided, [str(fake_file(tmp_path, name)) for name in ("ada", "bob")])
    seeds, pool = fit_seeds(undecided), undecided.store.items.ids("pool")[:2]
    aggregate_cascade(undecided, ["ada", "bob"], 0.9, pool)
    assert undecided.settings.annotate.shots in (0, 6)
    assert len([item_id for item_id in fake_llm.asked if item_id not in pool]) == 2 * 2 * len(seeds)  # of three LLMs


def test_a_round_that_has_its_verdicts_asks_nobody(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    undecided.use_annotation(shots=0)
    annotate(undecided, next_items(undecided))
    aggregate(undecided)
    asked = len(fake_llm.asked)
    undecided.use_annotation(shots=AUTO)
    run, config = open_run(undecided, "a", rounds=1)
    advance(undecided, run, config)
    fit = undecided.store.verdicts.latest_fit()
    assert fit is not None
    pick = (undecided.store.items.ids("pool")[0], 0.0, None)
    undecided.store.runs.start_round(run, 1, [pick], 0.0)
    undecided.store.runs.update_round(run, 1, fit=fit.id)  # `mollia train`, stopped while it trained
    assert advance(undecided, run, config) is not None
    assert len(fake_llm.asked) == asked and undecided.settings.annotate.shots == AUTO


def test_without_seeds_nothing_is_chosen_yet(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    undecided.store._db.execute("UPDATE items SET split = 'test' WHERE split = 'seed'")
    said = heard(undecided)
    settle_prompt(undecided)
    assert undecided.settings.annotate.shots == AUTO and not fake_llm.asked
    annotate(undecided, undecided.store.items.ids("pool")[:1])
    assert list(fake_llm.read.values()) == [()]
    assert "cannot be chosen on 0 labelled seeds" in said[0] and len(said) == 1


def test_on_the_command_line(undecided: Project, fake_llm: type[FakeLLM], tmp_path: Path) -> None:
    undecided.use_annotation(shots=0)
    fake_llm.queue.extend([*answers(undecided, 5), *answers(undecided, 16)])
    change_panel(undecided, [str(fake_file(tmp_path, "ada"))])  # which is not to read, and so is not asked either
    typed = ["annotate", "--split", "pool", "--limit", "3", "--model", "fake-llm", "-p", str(undecided.root)]
    result = CliRunner().invoke(app, typed)
    assert result.exit_code == 0, result.output
    assert "annotate.shots = 6, chosen on 18 seeds" in result.stderr
    assert all(len(fake_llm.read[item_id]) == 6 for item_id in undecided.store.items.ids("pool")[:3])
    assert len(fake_llm.asked) == 2 * 18 + 3


def test_guidelines_are_tried_beside_the_chosen_number(undecided: Project, fake_llm: type[FakeLLM]) -> None:
    (undecided.root / "guidelines.md").write_text("Red is for stop.\n")
    fake_llm.queue.extend([*answers(undecided, 2), *answers(undecided, 10), *answers(undecided, 17)])
    said = heard(undecided)
    settle_prompt(undecided)
    assert (undecided.settings.annotate.shots, undecided.settings.annotate.guidelines) == (6, True)
    assert len(fake_llm.asked) == 3 * 18 and len(said) == 3
    assert {len(fake_llm.read[item.id]) for item in fit_seeds(undecided)} == {6}


def test_an_estimate_knows_how_often_the_seeds_are_read(undecided: Project) -> None:
    assert readings(undecided, []) == (0, 0)
    assert readings(undecided, ["shots"]) == readings(undecided, ["guidelines"]) == (2, 2)
    assert readings(undecided, ["shots", "guidelines"]) == (3, 3)
    add_seeds(undecided, 12)
    assert readings(undecided, ["shots", "guidelines"]) == (3, 4)
    assert readings(undecided, ["shots"]) == (2, 3)
