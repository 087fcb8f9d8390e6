"""The main job: annotate, aggregate, rounds, prediction, export; on real models once, between doubles for the rest."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from doubles import FakeLLM, TinyLearner
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.report import ModelCard
from mollia_cli.insight.evaluate import evaluate_panel
from mollia_cli.insight.export import export_model, labelled_rows
from mollia_cli.insight.predict import Prediction, choose_round, predict
from mollia_cli.insight.report import report
from mollia_cli.insight.status import next_step, status
from mollia_cli.loop import round as rounds
from mollia_cli.loop.aggregate import aggregate, fit_aggregator, verdicts_on
from mollia_cli.loop.needed import next_items
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.select import select
from mollia_cli.project import observe as annotation
from mollia_cli.project.context import Project

MakeProject = Callable[..., Project]


@pytest.mark.proof
def test_from_texts_to_a_classifier(make_real_project: MakeProject, tmp_path: Path) -> None:
    project = make_real_project()
    run, setup = rounds.open_run(project, strategy="entropy", rounds=2)
    done = run_rounds(project, run, setup, 2)
    assert [record.number for record in done] == [0, 1, 2]
    assert [(record.metrics or {})["labelled"] for record in done] == [18, 23, 28]
    assert all(0 <= (record.metrics or {})["test_micro_f1"] <= 1 for record in done)
    assert set(done[1].seconds) == {"select", "annotate", "aggregate", "train", "evaluate"}

    # every selected item was annotated once, has a verdict, and an opinion from before it was trained on
    selections = project.store.runs.selections(run)
    assert len({s.item_id for s in selections}) == 10
    assert all(s.opinion is not None for s in selections)
    fit = done[2].fit
    assert fit is not None
    assert project.store.verdicts.get(fit, [s.item_id for s in selections]).ids == tuple(s.item_id for s in selections)

    # texts are tokenised once for the project
    assert (project.root / "tokens.safetensors").is_file()

    # the kept model predicts what it predicted, and is exported whole
    texts = tmp_path / "new.txt"
    texts.write_text("Can I move my visit to Friday?\nWho sent me this invoice?\n")
    chosen = choose_round(project)
    predictions = list(predict(project, texts, chosen, name="new.txt"))
    assert [p.line for p in predictions if isinstance(p, Prediction)] == [1, 2]
    folder = export_model(project, chosen, tmp_path / "out")
    assert {"config.json", "model.safetensors"} <= {path.name for path in folder.iterdir()}
    assert list(json.loads((folder / "config.json").read_text())["id2label"].values()) == list(project.labels.names)

    rows = list(labelled_rows(project))
    assert sum(row["source"] == "gold" for row in rows) == 18
    assert sum(row["source"] == "conditional_logit" for row in rows) == 10
    state = status(project)
    assert state.rounds[-1].metrics is not None
    assert next_step(state) == "mollia review --limit 25, then mollia run; or mollia predict texts.csv"


def test_what_is_stored_is_not_computed_again(make_project: MakeProject, fake_llm: type[FakeLLM]) -> None:
    project = make_project()
    ids = project.store.items.ids("seed")
    members = annotation.annotate(project, ids)
    before = project.store.observations.get(members[0].key, ids)
    assert set(before) == set(ids) == set(fake_llm.asked)

    fake_llm.queue.append(AssertionError("asked again"))
    assert annotation.annotate(project, ids) == members


def test_another_prompt_is_another_observation(make_project: MakeProject) -> None:
    project = make_project()
    before = annotation.members(project)
    prompt = project.root / "prompt.txt"
    prompt.write_text(prompt.read_text().replace("Output:", "Answer:"))
    after = annotation.members(project)
    assert before[0].name == after[0].name
    assert before[0].key != after[0].key


def test_a_round_that_was_stopped_goes_on_where_it_was(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = make_project("whole"), make_project("broken")
    for project in (whole, broken):
        run, setup = rounds.open_run(project, strategy="coreset", rounds=1)
    expected = run_rounds(whole, run, setup, 1)

    for step in ("annotate", "fit_aggregator", "train_learner", "keep_model", "evaluate"):
        with monkeypatch.context() as patch:

            def stop(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(rounds, step, stop)
            with pytest.raises(KeyboardInterrupt):
                run_rounds(broken, run, setup, 1)
    found = run_rounds(broken, run, setup, 1)
    assert broken.store.runs.selections(run) == whole.store.runs.selections(run)
    assert [record.metrics for record in found] == [record.metrics for record in expected]


def test_step_by_step(make_project: MakeProject) -> None:
    project = make_project()
    assert rounds.train_now(project).number == 0
    ids = [pick.id for pick in select(project, "random", 4)]
    annotation.annotate(project, [*next_items(project), *ids])
    verdicts_on(project, fit_aggregator(project), ids)
    record = rounds.train_now(project)
    assert record.number == 1
    assert {s.item_id for s in project.store.runs.selections("main")} == set(ids)
    assert not {pick.id for pick in select(project, "random", 40)} & set(ids)


def test_the_oracle_trains_on_true_labels(make_project: MakeProject) -> None:
    project = make_project()
    run, setup = rounds.open_run(project, "oracle", annotator="oracle", strategy="random", rounds=1)
    done = run_rounds(project, run, setup, 1)
    assert done[-1].fit is None
    assert not project.store.observations.summary()


@pytest.mark.parametrize("frozen", [True, False])
def test_epochs_are_of_a_classifier_that_has_some(
    make_project: MakeProject, tiny_learner: type[TinyLearner], frozen: bool
) -> None:
    tiny_learner.frozen = frozen
    project = make_project()
    shown = CliRunner().invoke(app, ["run", "--rounds", "0", "-p", str(project.root)])
    assert shown.exit_code == 0, shown.output
    again = CliRunner().invoke(app, ["status", "-p", str(project.root)]).stdout
    for words in (shown.stdout, shown.stderr.splitlines()[-1], again):  # the folder is called so, too
        assert ("epochs" in words.split()) != frozen
    card = report(project).model
    assert isinstance(card, ModelCard) and (card.epochs is None) == frozen


def test_a_run_keeps_its_setup(make_project: MakeProject) -> None:
    project = make_project()
    rounds.open_run(project, "a", strategy="random")
    with pytest.raises(InputError, match="strategy 'random'"):
        rounds.open_run(project, "a", strategy="entropy")


def test_everyone_is_measured(make_project: MakeProject) -> None:
    project = make_project()
    rows = evaluate_panel(project, "test", limit=5)
    assert [row.kind for row in rows] == ["llm", *["aggregator"] * 4, "baseline"]
    assert {row.items for row in rows} == {5}
    # one LLM: the mean of its probabilities decides as it does alone
    by_name = {row.name: row.accuracy for row in rows}
    assert list(by_name)[1:-1] == ["vote", "mean_logits", "molam", "conditional_logit"]
    assert by_name["mean_logits"] == rows[0].accuracy


def test_nothing_annotated_is_said(make_project: MakeProject) -> None:
    project = make_project()
    with pytest.raises(NotFoundError, match="18 of 18 labelled items were not annotated"):
        fit_aggregator(project)
    vote = fit_aggregator(project, "vote")
    assert len(aggregate(project, "vote").verdicts) == 0
    with pytest.raises(NotFoundError, match="5 of 5 items were not annotated"):
        verdicts_on(project, vote, project.store.items.ids("test")[:5])


@pytest.mark.proof
def test_the_same_seed_gives_the_same_run(make_real_project: MakeProject) -> None:
    results = []
    for name in ("one", "two"):
        project = make_real_project(name)
        ids = project.store.items.ids("pool")[:6]
        member = annotation.annotate(project, ids)[0]
        stored = project.store.observations.get(member.key, ids)
        results.append(np.array([np.concatenate([stored[i].log_probs, stored[i].votes]) for i in ids]))
    np.testing.assert_array_equal(results[0], results[1])
