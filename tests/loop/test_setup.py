"""What a run was opened with stays with it, and is within limits."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.insight.report.provenance import provenance
from mollia_cli.loop.needed import unlabelled_sample
from mollia_cli.loop.run import run_repeats, run_rounds
from mollia_cli.loop.setup import as_opened, open_run
from mollia_cli.project.context import Project

MakeProject = Callable[..., Project]
StoredOutputs = Callable[[Project], Path]
ORACLE = {"annotator": "oracle", "strategy": "random", "batch": 2}


def heard(project: Project) -> list[str]:
    """What the project says from now on."""
    said: list[str] = []
    project.say = said.append
    return said


def test_a_changed_settings_file_does_not_change_a_run(
    make_project: MakeProject, stored_outputs: StoredOutputs
) -> None:
    finished, negatives = {}, {}
    for name in ("left alone", "changed"):
        project = make_project(name)
        options = {"replay": stored_outputs(project), "strategy": "entropy", "delta": 0.05}
        run_rounds(project, *open_run(project, "a", **options, rounds=1), 1)
        if name == "changed":
            settings = project.settings
            project.settings = replace(
                settings,
                aggregate=replace(settings.aggregate, delta=0.9, unlabelled=3, aggregator="vote"),
                learner=replace(settings.learner, epochs=1, max_tokens=8, steps=1, validation_cap=3),
                run=replace(settings.run, alpha=0.1),
            )
        said, before = heard(project), project.settings
        rounds = run_rounds(project, *open_run(project, "a", rounds=2), 2)
        assert project.settings == before
        ids = [selection.item_id for selection in project.store.runs.selections("a")]
        assert rounds[-1].fit is not None
        verdicts = project.store.verdicts.get(rounds[-1].fit, ids)
        assert verdicts.ids == tuple(ids)
        negatives[name] = verdicts.negatives.tolist()
        finished[name] = [record.metrics for record in rounds]
        kept = [remark for remark in said if "keeps what it was opened with" in remark]
        assert len(kept) == (name == "changed")
    assert any(map(any, negatives["changed"]))
    assert negatives["changed"] == negatives["left alone"]
    assert finished["changed"] == finished["left alone"]
    for part in (
        "aggregate.delta 0.0, not 0.9",
        "aggregate.unlabelled 10, not 3",
        "learner.epochs 2, not 1",
        "run.alpha 0.5, not 0.1",
    ):
        assert part in kept[0]


def test_what_no_run_keeps_is_said_when_it_has_changed(make_project: MakeProject) -> None:
    project = make_project()
    open_run(project, "a", **ORACLE)
    project.settings = replace(project.settings, annotate=replace(project.settings.annotate, shots=2))
    project.use_threads(7)  # changes no number
    said = heard(project)
    open_run(project, "a")
    assert [remark for remark in said if "opened with" in remark] == [
        "run a was opened with annotate.shots 0, not 2: its next rounds will differ from those it has"
    ]


def test_lambda_does_not_fall_when_a_run_is_extended(make_project: MakeProject) -> None:
    project = make_project()
    for rounds in (2, 4):
        done = run_rounds(project, *open_run(project, "a", **ORACLE, rounds=rounds), rounds)
    assert [(record.metrics or {})["lambda"] for record in done] == pytest.approx([0.4, 0.4, 1.0, 1.0, 1.0])


def test_what_is_held_out_is_said_as_it_is(make_project: MakeProject) -> None:
    project = make_project()
    with project.store.transaction():  # the project's own labels alone
        project.store._db.execute("UPDATE items SET split = 'test' WHERE split = 'validation'")
    said = heard(project)
    done = run_rounds(project, *open_run(project, "a", **ORACLE, rounds=0), 0)
    assert (done[0].metrics or {})["validation"] == "0 cut from the labelled"
    assert said[0].startswith("run a: early stopping on 20% of each round's own labels, at most 100")
    assert said[0].endswith("; of fewer than 100 labels none are held out, and all epochs are trained")
    project.settings = replace(project.settings, learner=replace(project.settings.learner, validation=0.0))
    open_run(project, "b", **ORACLE)
    assert said[-1] == "run b: early stopping on nothing (learner.validation is 0): all epochs are trained"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"alpha": 1.5}, "run: alpha is 1.5"),
        ({"alpha": float("nan")}, "run: alpha is nan"),
        ({"lambda_start": -0.1}, "run: lambda_start is -0.1"),
        ({"lambda_end": float("inf")}, "run: lambda_end is inf"),
        ({"delta": 1.01}, "run: delta is 1.01"),
        ({"delta": "small"}, "run: delta is 'small'"),
        ({"metod": "mollia"}, "run: unknown key metod"),
        ({"method": "other"}, "run: method is 'other'"),
        ({"learner": {"epochs": 0}}, "run: learner.epochs is 0"),
    ],
)
def test_values_outside_their_limits_are_refused(
    make_project: MakeProject, changes: dict[str, float], expected: str
) -> None:
    project = make_project()
    with pytest.raises(InputError, match=expected) as caught:
        open_run(project, "a", **changes)
    assert caught.value.hint
    assert not project.store.runs.names()


def test_alpha_lambda_and_delta_are_part_of_the_setup(make_project: MakeProject) -> None:
    project = make_project()
    given = {"alpha": 0.25, "lambda_start": 0.5, "lambda_end": 2, "delta": 0.001}
    open_run(project, "a", **given)
    stored, again = project.store.runs.config("a"), open_run(project, "a")[1]
    for config in (stored, again):
        assert {key: getattr(config, key) for key in given} == given
    for key in given:
        with pytest.raises(InputError, match=f"started with {key}"):
            open_run(project, "a", **{key: 0.125})


def test_a_report_shows_the_learner_of_the_setup_in_words(make_project: MakeProject) -> None:
    project = make_project()
    open_run(project, "a", **ORACLE)
    [setup] = [dict(pairs) for name, pairs in provenance(project, "a").settings if name == "run a"]
    folder = Path(project.settings.learner.encoder)
    assert folder.is_absolute()
    expected = f"name transformer, encoder {folder.name}, max_tokens 128, learning_rate 5e-05, batch_size 50"
    assert setup["learner"].startswith(expected)


def test_repeats_have_an_aggregator_stream_and_an_unlabelled_sample_of_their_own(
    make_project: MakeProject, stored_outputs: StoredOutputs
) -> None:
    project = make_project()
    done = run_repeats(project, "a", 2, replay=stored_outputs(project), strategy="random", rounds=1)
    samples, seeds = {}, {}
    for run, finished in done.items():
        fit = finished.rounds[1].fit
        assert fit is not None
        seeds[run] = project.store.verdicts.fit(fit).state["state"]["random_seed"]
        samples[run] = unlabelled_sample(as_opened(project, open_run(project, run)[1]))
    assert seeds["a"] != seeds["a.2"]
    assert len(samples["a"]) == len(samples["a.2"]) == 10
    assert set(samples["a"]) != set(samples["a.2"])
    assert samples["a"] == unlabelled_sample(project)
    assert project.own_streams == ()
