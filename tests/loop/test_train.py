"""What `mollia train` trains on: the stored verdicts of the last aggregation, their negatives and weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.learners.base import Examples, FitReport
from mollia_cli.loop import round as rounds
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.loop.cascade import aggregate_cascade
from mollia_cli.loop.setup import open_run
from mollia_cli.loop.train import Labelled, join, training_examples
from mollia_cli.project.context import Project
from mollia_cli.store.runs import Selection

LABELS = 4


class Attentive:
    """A learner that remembers what it was given, and finds every text to be of the first label."""

    frozen = False

    def __init__(self) -> None:
        self.given: list[Examples] = []

    def fit(self, examples: Examples, validation: Examples, *_: Any) -> FitReport:
        self.given.append(join(examples, validation))
        return FitReport(1, 1, False, 0.0)

    def predict_proba(self, texts: list[str], *_: Any) -> FloatArray:
        return np.tile(np.eye(LABELS)[0], (len(texts), 1))

    def longer(self, texts: list[str]) -> int:
        return 0

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> Attentive:
    made = Attentive()
    monkeypatch.setattr("mollia_cli.loop.train.new_learner", lambda *_: made)
    monkeypatch.setattr("mollia_cli.loop.select.trained_learner", lambda *_: made)
    return made


def by_vote(project: Project) -> None:
    aggregate(project, "vote", project.store.items.ids("pool")[:30])


def by_cascade(project: Project) -> None:
    aggregate_cascade(project, ["cyd", "ada"], 0.7, project.store.items.ids("pool")[:30])


def by_default(project: Project) -> None:
    aggregate(project)


def trained_on(project: Project, examples: Examples) -> dict[str, tuple[int, tuple[int, ...]]]:
    """(label, negatives) of the pool items among the examples, by id."""
    ids = {item.text: item.id for item in project.store.items.in_split("pool")}
    return {
        ids[text]: (int(examples.targets[row]), tuple(np.flatnonzero(examples.negatives[row]).tolist()))
        for row, text in enumerate(examples.texts)
        if text in ids
    }


def stored(project: Project) -> dict[str, tuple[int, tuple[int, ...]]]:
    """(label, negatives) of every verdict of the last aggregation."""
    fit = project.store.verdicts.latest_fit()
    assert fit is not None
    found = project.store.verdicts.get(fit.id, project.store.items.ids("pool"))
    return {verdict.item_id: (verdict.label, verdict.negatives) for verdict in found.rows()}


@pytest.mark.parametrize("method", ["mollia", "distil"])
@pytest.mark.parametrize(("make", "items"), [(by_vote, 30), (by_cascade, 30), (by_default, 200)])
def test_it_trains_on_exactly_what_the_last_aggregation_has_stored(
    observed: Project,
    learner: Attentive,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Project], None],
    items: int,
    method: str,
) -> None:
    open_run(observed, method=method)
    make(observed)
    verdicts = stored(observed)
    with monkeypatch.context() as patch:
        for where in (
            "project.observe.annotate",
            "project.observe.panel_annotators",
            "loop.round.annotate",
            "loop.round.fit_aggregator",
        ):
            patch.setattr(f"mollia_cli.{where}", lambda *_, **__: pytest.fail("the panel was needed"))
        record = rounds.train_now(observed)
    [examples] = learner.given
    assert len(examples.texts) == 60 + items
    latest = observed.store.verdicts.latest_fit()
    assert latest is not None and record.fit == latest.id
    if method == "mollia":
        assert trained_on(observed, examples) == verdicts
        assert any(negatives for _, negatives in verdicts.values())  # Eq. 5 reaches training
        assert examples.soft is None
    else:  # the probabilities hold what y- is for
        assert trained_on(observed, examples) == {item_id: (label, ()) for item_id, (label, _) in verdicts.items()}
        made = observed.store.verdicts.get(latest.id, list(verdicts))
        assert examples.soft is not None
        expected = {
            f"text {item_id[1:].lstrip('0')}": row for item_id, row in zip(made.ids, made.probabilities, strict=True)
        }
        np.testing.assert_allclose(examples.soft[60:], [expected[text] for text in examples.texts[60:]], atol=1e-9)


def test_other_verdicts_on_the_same_items_are_another_round(observed: Project, learner: Attentive) -> None:
    by_vote(observed)
    rounds.train_now(observed)
    with pytest.raises(MolliaError, match="every item that has a verdict"):
        rounds.train_now(observed)
    aggregate(observed, "mean_logits", observed.store.items.ids("pool")[:30])
    assert rounds.train_now(observed).number == 1
    assert trained_on(observed, learner.given[-1]) == stored(observed)


def test_what_the_last_aggregation_has_left_out_is_not_trained_on_and_said(
    observed: Project, learner: Attentive
) -> None:
    by_vote(observed)
    rounds.train_now(observed)
    remarks: list[str] = []
    observed.say = remarks.append
    aggregate(observed, "vote", observed.store.items.ids("pool")[25:40])
    record = rounds.train_now(observed)
    assert trained_on(observed, learner.given[-1]) == stored(observed)
    assert (record.metrics or {})["labelled"] == 60 + 15
    assert any(remark.startswith("left out: 25 items selected before") for remark in remarks)


def test_a_round_that_waits_for_the_panel_is_not_finished_by_training(observed: Project, learner: Attentive) -> None:
    run, setup = open_run(observed, strategy="random", batch=5)
    rounds.advance(observed, run, setup)
    rounds.start_round(observed, run, setup, 1, selects=True)
    by_vote(observed)
    with pytest.raises(MolliaError, match="round 1 of run 'main'") as caught:
        rounds.train_now(observed)
    assert "mollia round" in caught.value.hint
    assert len(learner.given) == 1


@pytest.mark.parametrize("command", ["train", "round"])
def test_a_training_that_was_stopped_is_finished_from_what_it_cites(
    observed: Project, learner: Attentive, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    by_vote(observed)
    verdicts = stored(observed)
    with monkeypatch.context() as patch:
        patch.setattr(learner, "fit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            rounds.train_now(observed)
    aggregate(observed, "mean_logits")
    if command == "train":
        rounds.train_now(observed)
    else:
        rounds.advance(observed, *open_run(observed))
    assert trained_on(observed, learner.given[-1]) == verdicts


def test_weights_and_negatives_are_those_of_equations_5_and_8(observed: Project) -> None:
    seed = observed.store.items.in_split("seed")[:2]
    agrees, differs, nothing, unselected = observed.store.items.ids("pool")[:4]
    opinions = {agrees: 1, differs: 0, nothing: None}
    selections = [Selection(item_id, 1, 0.0, opinion) for item_id, opinion in opinions.items()]
    negatives = np.zeros((4, LABELS), dtype=bool)
    for row, ruled_out in enumerate(([0, 3], [2], [], [0, 2, 3])):
        negatives[row, ruled_out] = True
    ids = (agrees, differs, nothing, unselected)
    verdicts = Verdicts(ids, np.ones(4, dtype=int), np.tile(np.eye(LABELS)[1], (4, 1)), negatives).take([3, 1, 0, 2])
    examples = training_examples(observed, Labelled(seed, selections, verdicts), 0.25)
    assert examples.weights.tolist() == [1.0, 1.0, 1.0, 0.25, 1.0, 1.0]
    expected = [[], [], [0, 3], [2], [], [0, 2, 3]]
    assert [np.flatnonzero(row).tolist() for row in examples.negatives] == expected
    assert examples.targets.tolist() == [*(item.label for item in seed), 1, 1, 1, 1]
    trusted = training_examples(observed, Labelled(seed, selections, verdicts, trusted=True), 0.25)
    assert trusted.weights.tolist() == [1.0] * 6
