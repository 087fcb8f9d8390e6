"""Verdicts at a threshold, without a confidence, and seen twice by a person."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mollia_cli.domain.decisions import LABEL, RANDOM, Decision
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.insight import corrections as correcting
from mollia_cli.insight.corrections import corrections
from mollia_cli.insight.review import open_review
from mollia_cli.loop.aggregate import Aggregated, aggregate, fit_aggregator, predict
from mollia_cli.loop.cascade import ask
from mollia_cli.project.context import Project
from mollia_cli.project.observe import members


def test_a_verdict_at_the_threshold_is_above_it() -> None:
    first = np.array([0.7, 0.8, 0.9, 0.8])
    probabilities, negatives = np.column_stack([first, 1 - first]), np.zeros((4, 2), dtype=bool)
    verdicts = Verdicts(("a", "b", "c", "d"), np.zeros(4, dtype=int), probabilities, negatives)
    threshold: Any = SimpleNamespace(confidence=0.8)
    parts: Any = {"fitted": None, "verdicts": verdicts}
    assert Aggregated(**parts, threshold=threshold).below == 1
    assert Aggregated(**parts, threshold=None).below == 0


def test_a_cascade_does_not_ask_on_at_its_threshold(observed: Project) -> None:
    ids = observed.store.items.ids("pool")
    first = [member for member in members(observed) if member.name == "ada"]
    sure = np.sort(predict(observed, fit_aggregator(observed, "", first, ids), ids).max(axis=1))
    assert (sure < sure[100]).sum() == 100  # one of the verdicts is at the threshold
    done = ask(observed, ["ada", "bob"], float(sure[100]), ids)
    assert [stage.asked for stage in done.stages] == [200, 100]


def test_peoples_check_of_a_threshold_takes_in_the_verdict_at_it(
    observed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correcting, "threshold_for", lambda *_, **__: SimpleNamespace(confidence=0.8))
    pool = observed.store.items.ids("pool")
    aggregate(observed, ids=pool[:5])
    fit = observed.store.verdicts.latest_fit()
    assert fit is not None
    reviewed = [
        Decision(item_id, LABEL, "anna", 1, fit=fit.id, verdict=1, confidence=confidence, chosen=RANDOM)
        for item_id, confidence in zip(pool, (0.79, 0.8, 0.81), strict=False)
    ]
    reviewed.append(Decision(pool[4], LABEL, "anna", 1, fit=fit.id, verdict=1, confidence=0.9, chosen="doubt"))
    found = correcting._threshold(observed, reviewed, 0.9)
    assert found is not None and found.reviewed == 2


@pytest.mark.parametrize("strategy", ["random", "disagreement", "doubt"])
def test_below_leaves_out_what_has_no_verdict(observed: Project, strategy: str) -> None:
    pool = observed.store.items.ids("pool")
    verdicts = aggregate(observed, ids=pool[:40]).verdicts
    edge = float(np.mean(np.sort(verdicts.confidences)[19:21]))
    doubtful = {verdict.item_id for verdict in verdicts.rows() if verdict.confidence < edge}
    assert set(open_review(observed, strategy, below=edge).queue) == doubtful
    assert len(doubtful) == 20


def test_an_item_counts_against_the_first_verdict_that_a_person_met(observed: Project) -> None:
    """The later verdict has learned from the person's label, and agrees with it."""
    pool = observed.store.items.ids("pool")
    aggregate(observed, ids=pool[:5])
    fit = observed.store.verdicts.latest_fit()
    assert fit is not None
    for verdict in (2, 1):
        decision = Decision(pool[0], LABEL, "anna", 1, fit=fit.id, verdict=verdict, confidence=0.6)
        observed.store.decisions.add(decision)
    found = corrections(observed)
    assert (found.labels, found.reviewed, found.contradicted) == (1, 1, 1)


def test_a_label_counts_against_the_verdict_once_people_agree_on_it(observed: Project) -> None:
    pool = observed.store.items.ids("pool")
    aggregate(observed, ids=pool[:5])
    fit = observed.store.verdicts.latest_fit()
    assert fit is not None
    for who, label in (("anna", 1), ("bert", 2)):
        observed.store.decisions.add(Decision(pool[0], LABEL, who, label, fit=fit.id, verdict=2, confidence=0.6))
    found = corrections(observed)
    assert (found.labels, found.by, found.reviewed, found.disagreements) == (0, {"anna": 1, "bert": 1}, 0, 1)
    settled = Decision(pool[0], LABEL, "cleo", 2, fit=fit.id, verdict=2, confidence=0.6, adjudicates=True)
    observed.store.decisions.add(settled)
    found = corrections(observed)
    assert (found.labels, found.reviewed, found.contradicted, found.disagreements) == (1, 1, 0, 0)
    assert found.adjudicated == {"cleo": 1}
