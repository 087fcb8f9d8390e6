"""Dawid and Skene's model."""

import numpy as np

from mollia_cli.aggregators.dawid_skene import DawidSkene
from mollia_cli.aggregators.vote import Vote
from mollia_cli.domain.observations import Panel
from mollia_cli.domain.rng import stream

from .panels import panel_of


def drawn(errors: np.ndarray, n: int, seed: int) -> tuple[Panel, np.ndarray]:
    """A panel drawn from the model itself. errors: [N, K, K] rows of answer probabilities."""
    rng = stream(seed, "dawid skene")
    members, classes, _ = errors.shape
    gold = rng.integers(0, classes, n)
    given = np.array([[rng.choice(classes, p=errors[i, k]) for i in range(members)] for k in gold])
    votes = np.eye(classes)[given]
    return panel_of(votes * 0.98 + 0.01, votes), gold


def test_confusion_matrices_are_found() -> None:
    errors = np.array([[[0.9, 0.1], [0.3, 0.7]], [[0.6, 0.4], [0.1, 0.9]], [[0.8, 0.2], [0.2, 0.8]]])
    panel, gold = drawn(errors, 4000, 0)
    fitted = DawidSkene().fit(panel.take(range(50)), gold[:50], panel.take(range(50, 4000)))
    np.testing.assert_allclose(np.exp(fitted._log_error), errors, atol=0.05)


def test_it_beats_the_vote_that_two_poor_annotators_decide() -> None:
    poor = [[0.55, 0.45], [0.45, 0.55]]
    panel, gold = drawn(np.array([poor, poor, [[0.95, 0.05], [0.05, 0.95]]]), 2000, 1)
    seed, pool = panel.take(range(50)), panel.take(range(50, 2000))

    def accuracy(kind: type) -> float:
        return float((kind().fit(seed, gold[:50], pool).predict_proba(pool).argmax(axis=1) == gold[50:]).mean())

    assert accuracy(DawidSkene) > 0.9 > accuracy(Vote) + 0.1


def test_it_goes_on_until_nothing_changes() -> None:
    # two of five labels that annotators hardly tell apart, as in PubMed's abstracts: hundreds of passes
    errors = np.array([np.eye(5) * 0.35 + 0.13, np.eye(5) * 0.3 + 0.14, np.eye(5) * 0.25 + 0.15])
    panel, gold = drawn(errors, 1000, 3)
    seed, pool = panel.take(range(50)), panel.take(range(50, 1000))
    fitted = DawidSkene().fit(seed, gold[:50], pool)
    longer = DawidSkene(passes=20_000).fit(seed, gold[:50], pool)
    assert np.abs(fitted.predict_proba(pool) - longer.predict_proba(pool)).max() < 1e-9


def test_an_item_without_answers_gets_the_prior() -> None:
    errors = np.array([[[0.9, 0.1], [0.1, 0.9]]])
    panel, gold = drawn(errors, 100, 2)
    fitted = DawidSkene().fit(panel.take(range(100)), gold, panel.take([]))
    silent = panel_of(np.full((1, 1, 2), 0.5), np.zeros((1, 1, 2)))
    np.testing.assert_allclose(fitted.predict_proba(silent)[0, 1], gold.mean(), atol=1e-3)
