"""What is shipped, as it is shipped: the mixture of a real LLM and a real encoder, distilled into a linear head."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mollia_cli import Project
from mollia_cli.aggregators.calibration import tempered
from mollia_cli.aggregators.conditional_logit import ConditionalLogit
from mollia_cli.aggregators.mixture import Mixture
from mollia_cli.domain.decisions import IGNORE, Decision
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.settings import AUTO, Settings
from mollia_cli.insight.export import labelled_rows
from mollia_cli.loop.aggregate import aggregate, embedded_alone, fit_aggregator, unread_verdicts, verdicts_on
from mollia_cli.machine.demo import LABELS, demo_messages
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.encoders import panel_texts
from mollia_cli.project.observe import members, observed_by_all, stack, unobserved
from mollia_cli.project.record import settings_record


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, test_llm: Path, test_encoder: Path) -> Path:
    """A project after one round of `mollia run`; fewer texts than a user would have, everything else as shipped."""
    root = tmp_path_factory.mktemp("defaults") / "project"
    panel = [str(test_llm), {"name": "mini", "kind": "encoder", "model": str(test_encoder)}]
    settings = new_settings(LabelSet(tuple(LABELS), tuple(LABELS.values())), "message", "", panel, str(test_encoder))
    settings = replace(
        settings,
        annotate=replace(settings.annotate, shots=0),
        aggregate=replace(settings.aggregate, unlabelled=10, embedded=40),
        run=replace(settings.run, batch=5),
    )
    create(root, settings)
    messages = demo_messages()
    with Project.open(root) as project:
        for split, size in {"seed": 24, "pool": 60, "test": 40}.items():
            project.import_([one for one in messages if one["split"] == split][:size], split)
        project.run(rounds=1)
    return root


def test_the_defaults_are_the_mixture_distilled_into_a_linear_head() -> None:
    shipped = settings_record(Settings(LabelSet(("a", "b"), ("", ""))))
    assert shipped["aggregate"]["aggregator"] == "mixture"
    assert shipped["learner"]["name"] == "linear"
    assert shipped["annotate"]["shots"] == AUTO
    assert (shipped["run"]["method"], shipped["run"]["strategy"]) == ("distil", "random")


@pytest.mark.proof
def test_a_run_learns_from_labels_then_from_verdicts(finished: Path) -> None:
    with Project.open(finished) as project:
        first, second = project.store.runs.rounds("main")
        assert (first.metrics or {})["trained_on"] == 24
        # every annotated item has a verdict to learn from, selected or not, and so has what encoders alone have read
        read = observed_by_all(project, members(project), project.store.items.ids("pool"))
        assert 10 <= len(read) <= 15
        unread = embedded_alone(project, Mixture, read)
        assert 25 <= len(unread) <= 40
        assert (second.metrics or {})["unread"] == len(unread)
        assert (second.metrics or {})["trained_on"] == 24 + len(read) + len(unread)
        fit = project.store.verdicts.fit(second.fit or 0)
        assert fit is not None and fit.aggregator == "mixture"
        assert fit.state["state"]["encoders"] == ["mini"]
        found = project.predict([item.text for item in project.store.items.in_split("test")])
        gold = [item.label for item in project.store.items.in_split("test")]
        assert np.mean(found.argmax(axis=1) == gold) > 0.35  # one in six by chance


@pytest.mark.proof
def test_a_fit_that_is_read_again_has_the_same_verdicts(finished: Path) -> None:
    with Project.open(finished) as project:
        panel = members(project)
        read = observed_by_all(project, panel, project.store.items.ids("pool"))
        again = fit_aggregator(project, "mixture", panel, read)
        stored = fit_aggregator(project, "mixture", panel, read)
        assert stored.fit.id == again.fit.id
        np.testing.assert_array_equal(
            verdicts_on(project, stored, read).probabilities, verdicts_on(project, again, read).probabilities
        )
        seen = stack(project, panel, read)
        np.testing.assert_allclose(stored.predict_proba(seen), again.predict_proba(seen), atol=1e-9)


@pytest.mark.proof
def test_what_no_llm_has_read_is_learned_from_by_the_fits_own_verdicts(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Project.open(finished) as project:
        second = project.store.runs.rounds("main")[1]
        fit = project.store.verdicts.fit(second.fit or 0)
        assert fit is not None and fit.calibration is not None
        panel, pool = members(project), project.store.items.ids("pool")
        unread = embedded_alone(project, Mixture, observed_by_all(project, panel, pool))
        made = Mixture.from_json(fit.state).predict_proba(unobserved(project, panel, unread))
        with monkeypatch.context() as patch:
            patch.setattr("mollia_cli.project.encoders.frozen_encoder", lambda *_: pytest.fail("embedded again"))
            found = unread_verdicts(project, fit.id)
        assert found.ids == tuple(unread)
        np.testing.assert_allclose(found.probabilities, tempered(made, fit.calibration["temperature"]), atol=1e-12)
        np.testing.assert_array_equal(found.labels, made.argmax(axis=1))
        gold = [item.label for item in project.store.items.get(unread)]
        assert np.mean(found.labels == gold) > 0.35  # one in six by chance
        assert not found.negatives.any()
        # nobody takes them for verdicts of the LLMs
        assert not len(project.store.verdicts.get(fit.id, unread))
        aggregate(project)
        assert not {row["id"] for row in labelled_rows(project)} & set(unread)


@pytest.mark.proof
def test_what_a_fit_does_not_know_has_no_verdict_of_it(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that came later: nothing is read for a classifier that learns from what is stored."""
    with Project.open(finished) as project:
        fit = project.store.runs.rounds("main")[1].fit or 0
        known = unread_verdicts(project, fit)
        later = project.store.items.ids("test")
        monkeypatch.setattr("mollia_cli.loop.aggregate.embedded_alone", lambda *_: [*later, *known.ids])
        assert unread_verdicts(project, fit).ids == known.ids


@pytest.mark.proof
def test_texts_are_embedded_once(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Project.open(finished) as project:
        texts = panel_texts(project)
        assert texts is not None and texts.encoders == ("mini",)
        read = observed_by_all(project, members(project), project.store.items.ids("pool"))
        monkeypatch.setattr("mollia_cli.learners.frozen.pooled_layers", lambda *_: pytest.fail("embedded again"))
        assert texts.read("mini", read).shape == (len(read), 3, 384)


@pytest.mark.proof
def test_what_people_ignore_is_not_embedded_either(finished: Path) -> None:
    with Project.open(finished) as project:
        before = embedded_alone(project, Mixture, ())
        assert len(before) == 40
        project.store.decisions.add(Decision(before[0], IGNORE, "anna"))
        assert embedded_alone(project, Mixture, ()) == before[1:]
        assert not embedded_alone(project, ConditionalLogit, ())  # which looks at no text
