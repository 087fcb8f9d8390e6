"""The choice of the first items to label."""

import numpy as np

from mollia_cli.domain.rng import stream
from mollia_cli.strategies.base import Signals
from mollia_cli.strategies.seed import Seed


def signals_of(panel: np.ndarray) -> Signals:
    return Signals(tuple(f"{row:03d}" for row in range(len(panel))), panel=panel)


def test_every_opinion_is_picked_the_commonest_first() -> None:
    panel = np.full((90, 2, 3), 0.05)
    opinion = np.repeat([2, 0, 1], [70, 15, 5])
    panel[np.arange(90), :, opinion] = 0.9
    picks = Seed().select(signals_of(panel), 3, stream(0, "seed"))
    assert [(opinion[int(pick.id)], pick.score) for pick in picks] == [(2, 70.0), (0, 15.0), (1, 5.0)]


def test_a_pick_is_typical_of_its_region() -> None:
    rng = stream(1, "regions")
    centres = np.log(np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]))
    z = np.exp(np.repeat(centres, 40, axis=0) + rng.normal(0, 0.2, (120, 3)))
    picks = Seed().select(signals_of(z[:, None]), 3, stream(2, "seed"))
    rows = sorted(int(pick.id) for pick in picks)
    assert [row // 40 for row in rows] == [0, 1, 2]
    logs = np.log(z / z.sum(axis=1, keepdims=True))
    for row in rows:
        group = logs[row // 40 * 40 : row // 40 * 40 + 40]
        distances = np.linalg.norm(group - group.mean(axis=0), axis=1)
        assert distances[row % 40] <= np.sort(distances)[3]


def test_an_annotator_that_gives_no_label_any_probability_has_no_opinion() -> None:
    panel = np.full((20, 2, 3), 0.05)
    panel[np.arange(20), 0, np.arange(20) % 3] = 0.9
    silent, uniform = panel.copy(), panel.copy()
    silent[:, 1], uniform[:, 1] = 0.0, 1 / 3
    first = Seed().select(signals_of(silent), 3, stream(0, "seed"))
    assert first == Seed().select(signals_of(uniform), 3, stream(0, "seed"))
