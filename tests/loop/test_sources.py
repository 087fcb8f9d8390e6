"""Who labels: stored outputs, a person, true labels; and the ablations."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError, MolliaError, NotFoundError
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.settings import PanelSettings
from mollia_cli.insight.detectors import known_verdicts
from mollia_cli.insight.export import labelled_rows
from mollia_cli.loop.needed import unlabelled_sample
from mollia_cli.loop.round import finish_round
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.select import select
from mollia_cli.loop.setup import ablations, as_opened, open_run, planned_run
from mollia_cli.loop.train import Labelled, training_examples
from mollia_cli.project import observe as annotation
from mollia_cli.project.context import Project
from mollia_cli.project.labels import certain_verdicts, gold_labels
from mollia_cli.project.members import labelling

MakeProject = Callable[..., Project]


def test_stored_outputs_stand_for_the_panel(
    make_project: MakeProject, stored_outputs: Callable[[Project], Path]
) -> None:
    project = make_project()
    path = stored_outputs(project)
    run, setup = open_run(project, "stored", replay=path, strategy="disagreement", rounds=1)
    assert setup.annotator == "replay"
    annotation.annotate(as_opened(project, setup), project.store.items.ids("pool"))
    done = run_rounds(project, run, setup, 1)
    assert [row["name"] for row in project.store.observations.summary()] == ["a", "b"]
    assert (done[1].metrics or {})["verdict_accuracy"] > 0.5

    known = known_verdicts(project, "stored")
    selections = project.store.runs.selections("stored")
    gold = [item.label for item in project.store.items.get([s.item_id for s in selections])]
    assert sorted(known.gold.tolist()) == sorted(gold)
    assert sorted(known.predictions.tolist()) == sorted(s.opinion for s in selections)
    assert known.votes.shape == (5, 2, len(project.labels))
    assert (known.verdicts == known.gold).mean() == (done[1].metrics or {})["verdict_accuracy"]

    # opened again, without the option, the run still replays
    again = Project.open(project.root)
    _, setup = open_run(again, "stored")
    assert [member.name for member in annotation.members(as_opened(again, setup))] == ["a", "b"]
    again.store.close()


def test_a_replay_is_its_runs_alone(
    observed: Project, tiny_learner: object, stored_outputs: Callable[[Project], Path]
) -> None:
    path = stored_outputs(observed)
    panel = ["ada", "bob", "cyd"]
    planned_run(observed, "stored", replay=path)
    assert [member.name for member in annotation.members(observed)] == panel

    learner = replace(observed.settings.learner, epochs=1, steps=1)
    observed.settings = replace(observed.settings, learner=learner)
    fits = []
    for name, changes in (("stored", {"replay": path}), ("own", {})):
        run, setup = open_run(observed, name, strategy="random", aggregator="vote", rounds=1, batch=5, **changes)
        fits.append(observed.store.verdicts.fit(run_rounds(observed, run, setup, 1)[-1].fit or 0))
    asked = {row["key"]: row["name"] for row in observed.store.observations.summary()}
    said_by = [[asked[key] for key in fit.panel] for fit in fits if fit is not None]
    assert said_by == [["a", "b"], panel]


@pytest.mark.usefixtures("llm_selector")
def test_stored_outputs_cannot_answer_a_strategys_question(
    observed: Project, stored_outputs: Callable[[Project], Path]
) -> None:
    with pytest.raises(InputError, match="stored outputs cannot answer it"):
        open_run(observed, replay=stored_outputs(observed), strategy="llm")


def test_a_replay_needs_no_llm_of_the_panel(
    make_project: MakeProject, stored_outputs: Callable[[Project], Path], tmp_path: Path
) -> None:
    project = make_project()
    replay = str(stored_outputs(project))
    gone = PanelSettings((MemberSpec(str(tmp_path / "gone.gguf")),))
    project.settings = replace(project.settings, panel=gone)
    with annotation.models_kept(project):
        replaying = project.with_panel(labelling(project.settings, "replay", replay))
        annotation.annotate(replaying, project.store.items.ids("seed"))
        assert len(project.loaded or {}) == 2
    assert project.loaded is None


@pytest.mark.parametrize(
    "changes", [{"annotator": "replay"}, {"annotator": "oracle", "replay": "x.npy"}, {"annotator": "nobody"}]
)
def test_a_source_that_cannot_be_is_refused(make_project: MakeProject, changes: dict[str, str]) -> None:
    project = make_project()
    with pytest.raises(InputError):
        open_run(project, **changes)
    assert not project.store.runs.names()


def test_a_person_is_asked_once_and_may_stop(make_project: MakeProject) -> None:
    project = make_project()
    with pytest.raises(NotFoundError, match="no verdict"):
        known_verdicts(project)
    run, setup = open_run(project, annotator="human", strategy="random", rounds=1, batch=3)
    answers = iter(["1", "2"])

    def ask(question: str) -> str:
        answer = next(answers, None)
        if answer is None:
            raise MolliaError("there are no more answers")
        return answer

    project.ask = ask
    with pytest.raises(MolliaError, match="no more answers"):
        run_rounds(project, run, setup, 1)
    answers = iter(["3"])
    run_rounds(project, run, setup, 1)
    assert next(answers, None) is None

    picked = [s.item_id for s in project.store.runs.selections(run)]
    rows = {row["id"]: row for row in labelled_rows(project) if row["source"] == "human"}
    assert set(rows) == set(picked)
    assert sorted(row["label"] for row in rows.values()) == sorted(project.labels.names[:3])


def test_a_person_whom_a_run_asks_settles_what_people_disagree_on(make_project: MakeProject) -> None:
    project = make_project()
    disputed = project.store.items.ids("pool")[0]
    for who, label in (("ann", 0), ("ben", 1)):
        project.store.decisions.add(Decision(disputed, LABEL, who, label))
    answers = iter(["2"])
    asked = project.with_panel(labelling(project.settings, "human"))
    asked.ask = lambda question: next(answers)
    assert annotation.known_labels(asked, [disputed]).tolist() == [1]
    assert project.store.decisions.disagreements() == []
    assert annotation.known_labels(asked, [disputed]).tolist() == [1]


def test_trusted_labels_weigh_one_and_have_no_negatives(make_project: MakeProject) -> None:
    project = make_project()
    run, setup = open_run(project, annotator="oracle", strategy="random", rounds=1, batch=4)
    ids = [pick.id for pick in select(project, "random", 4, run)]
    items = project.store.items.get(ids)
    wrong = [(item.label or 0) + 1 for item in items]
    project.store.runs.start_round(run, 0, [], 0.0)
    finish_round(project, run, setup, 0)
    names = len(project.labels)
    project.store.runs.start_round(run, 1, [(i, 0.0, w % names) for i, w in zip(ids, wrong, strict=True)], 0.0)
    selections = project.store.runs.selections(run)
    verdicts = certain_verdicts(items, gold_labels(items), names)
    trusted = training_examples(project, Labelled([], selections, verdicts, trusted=True), 0.5)
    assert trusted.weights.tolist() == [1.0] * 4
    assert not trusted.negatives.any()
    assert trusted.targets.tolist() == [item.label for item in items]
    doubted = training_examples(project, Labelled([], selections, verdicts), 0.5)
    assert doubted.weights.tolist() == [0.5] * 4


def test_the_ablations_of_table_4(make_project: MakeProject) -> None:
    project = make_project()
    _, full = open_run(project, "A")
    assert (full.alpha, full.lambda_start, full.lambda_end) == (0.5, 0.4, 1.0)
    _, neither = open_run(project, "D", **ablations(no_negatives=True, no_discrepancy=True))
    assert (neither.alpha, neither.lambda_start, neither.lambda_end) == (1.0, 0.0, 0.0)
    with pytest.raises(InputError, match="alpha"):
        open_run(project, "A", **ablations(no_negatives=False, no_discrepancy=True))


def test_a_pool_sample_is_what_a_strategy_sees(make_project: MakeProject) -> None:
    project = make_project()
    first = {pick.id for pick in select(project, "random", 40, pool_sample=8)}
    assert len(first) == 40  # a batch is never cut short
    few = [pick.id for pick in select(project, "random", 5, pool_sample=8)]
    assert len(few) == 5
    assert few == [pick.id for pick in select(project, "random", 5, pool_sample=8)]
    seen = {pick.id for n in range(1, 9) for pick in select(project, "random", n, pool_sample=8)}
    assert len(seen) == 8


def test_distil_trains_on_every_annotated_items_verdict(
    make_project: MakeProject, stored_outputs: Callable[[Project], Path]
) -> None:
    project = make_project()
    run, setup = open_run(project, replay=stored_outputs(project), method="distil", strategy="random", rounds=1)
    before, after = run_rounds(project, run, setup, 1)
    assert (before.metrics or {})["trained_on"] == (before.metrics or {})["labelled"] == 18
    assert (after.metrics or {})["labelled"] == 23
    # beside the seeds the 5 selected items and the 10 that the aggregator is fitted on
    picked = {s.item_id for s in project.store.runs.selections(run)}
    everything = picked | {*unlabelled_sample(project)}
    assert (after.metrics or {})["trained_on"] == 18 + len(everything) > 23
    assert project.store.verdicts.confidences(after.fit or 0).keys() == everything
