"""The engine's label scores and votes against the slow reference, on a real model."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from mollia_cli.annotators.llama import GgufAnnotator
from mollia_cli.annotators.llama.decode import reader
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.prompting import Decoding

from .oracle import PROMPT, TEXTS, Reference

Make = Callable[..., GgufAnnotator]
# What float32 kernels round differently for batches of other shapes, and the forms that the reference leaves out.
TOLERANCE = 0.003


def by_text(engine: GgufAnnotator, texts: Sequence[str] = TEXTS) -> list[Observation]:
    """One observation per text, in the texts' order."""
    found = {o.item_id: o for batch in engine.annotate([Item(str(i), t) for i, t in enumerate(texts)]) for o in batch}
    assert len(found) == len(texts)
    return [found[str(i)] for i in range(len(texts))]


@pytest.fixture(scope="module")
def by_default(make_once: Make) -> list[Observation]:
    """What is seen with the settings as they are shipped."""
    return by_text(make_once())


@pytest.fixture(scope="module")
def exact(make_once: Make) -> list[Observation]:
    """What is seen with exact votes."""
    return by_text(make_once(Decoding(votes="exact")))


def test_scores_are_the_probability_of_the_whole_label(by_default: list[Observation], reference: Reference) -> None:
    for text, seen in zip(TEXTS, by_default, strict=True):
        truth = reference.walk(text, reference.distribution, floor=2e-4)
        scores = np.exp(seen.log_probs)
        assert np.abs(scores - truth).max() < 0.01, text  # the floor
        assert np.abs(scores - truth).max() <= seen.slack + TOLERANCE, text
        assert seen.mass == pytest.approx(scores.sum())


@pytest.mark.proof
def test_a_lower_floor_is_nearer_to_the_truth_and_within_the_bounds(
    make: Make, by_default: list[Observation], reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "FLOOR", 3e-4)
    for text, rough, fine in zip(TEXTS, by_default, by_text(make()), strict=True):
        truth = reference.walk(text, reference.distribution, floor=2e-4)
        assert np.abs(np.exp(fine.log_probs) - truth).max() < TOLERANCE, text
        assert fine.slack < 0.5 * rough.slack
        gap = np.abs(np.exp(rough.log_probs) - np.exp(fine.log_probs)).max()
        assert gap <= rough.slack + fine.slack + TOLERANCE


def test_exact_votes_are_the_limit_of_generations(exact: list[Observation], reference: Reference) -> None:
    decoding = Decoding(votes="exact")
    for text, seen in zip(TEXTS, exact, strict=True):
        truth = reference.walk(text, lambda tokens: reference.nucleus(tokens, decoding), floor=1e-3)
        np.testing.assert_allclose(seen.votes, truth, atol=2 * TOLERANCE, err_msg=text)
        assert seen.votes.sum() + seen.invalid == pytest.approx(1.0)


def test_scores_do_not_depend_on_the_votes(make: Make, exact: list[Observation]) -> None:
    for a, b in zip(by_text(make(Decoding(samples=50))), exact, strict=True):
        np.testing.assert_allclose(np.exp(a.log_probs), np.exp(b.log_probs), atol=TOLERANCE)
        assert a.slack == pytest.approx(b.slack, rel=0.05)


@pytest.mark.proof
def test_sampled_votes_converge_to_the_exact_ones(make: Make, exact: list[Observation]) -> None:
    """Pearson's chi-square over labels and invalid; 99.9% quantiles of 1 to 3 degrees of freedom."""
    quantile = {0: 1e-9, 1: 10.83, 2: 13.82, 3: 16.27}
    generations = 2000
    sampled = by_text(make(Decoding(samples=generations)))
    for truth, seen in zip(exact, sampled, strict=True):
        expected = np.append(truth.votes, truth.invalid)
        counted = np.append(seen.votes, seen.invalid) * generations
        np.testing.assert_allclose(counted, np.round(counted), atol=1e-6)
        # Branches under the floor, and the rounding of other batch shapes, move the limit itself a little.
        usual = expected * generations >= 5
        variance = expected * generations + (0.01 * generations) ** 2
        statistic = float(((counted - expected * generations)[usual] ** 2 / variance[usual]).sum())
        assert statistic < quantile[int(usual.sum()) - 1]


def test_same_seed_same_votes_other_seed_others(make: Make, by_default: list[Observation]) -> None:
    first, again, other = by_default, *(by_text(make(Decoding(seed=seed))) for seed in (Decoding().seed, 1))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.votes, b.votes)
        np.testing.assert_array_equal(a.log_probs, b.log_probs)
    assert any((a.votes != b.votes).any() for a, b in zip(first, other, strict=True))


def test_votes_do_not_depend_on_the_order_or_the_id_of_others(make: Make, by_default: list[Observation]) -> None:
    items = [Item(str(i), text) for i, text in enumerate(TEXTS)][::-1]
    backward = {o.item_id: o for batch in make().annotate(items) for o in batch}
    for i, seen in enumerate(by_default):
        np.testing.assert_array_equal(seen.votes, backward[str(i)].votes)


def test_greedy_votes_are_one_answer(make: Make) -> None:
    for seen in by_text(make(Decoding(temperature=0.0, samples=3))):
        assert set(np.append(seen.votes, seen.invalid).tolist()) <= {0.0, 1.0}


def test_invalid_answers_are_shown_when_asked_for(make: Make, by_default: list[Observation]) -> None:
    shown = by_text(make(show_invalid=2))
    assert any(seen.answers for seen in shown)
    for a, b in zip(by_default, shown, strict=True):
        assert a.answers == ()
        assert len(b.answers) == min(2, round(10 * b.invalid))
        np.testing.assert_array_equal(a.votes, b.votes)


def test_shots_change_what_the_model_sees(make: Make) -> None:
    assert "I love it" in make(prompt=replace(PROMPT, shots=(("I love it", "positive"),))).preview(Item("x", "x"))
