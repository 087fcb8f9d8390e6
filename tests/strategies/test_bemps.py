"""BEMPS against the definition of the paper, written out as loops over x, x', y and members."""

import numpy as np
import pytest

from mollia_cli.domain.rng import stream
from mollia_cli.strategies.base import Signals
from mollia_cli.strategies.bemps import Bemps, core_mse, nearest_to_centres, pick_diverse
from mollia_cli.strategies.bemps_corelog import BempsCoreLog, core_log


def members(size: int, labels: int = 3, count: int = 4, spread: float = 1.0) -> np.ndarray:
    rng = stream(1, size, labels, count)
    logits = rng.normal(size=(size, labels)) + spread * rng.normal(size=(count, size, labels))
    powers = np.exp(logits)
    return powers / powers.sum(axis=2, keepdims=True)


def by_definition(p: np.ndarray, score: str) -> np.ndarray:
    """v(x, x') with a posterior over members computed by Bayes' rule."""
    count, size, labels = p.shape
    v = np.zeros((size, size))
    for x in range(size):
        for y in range(labels):
            if not p[:, x, y].any():
                continue
            posterior = p[:, x, y] / p[:, x, y].sum()
            for other in range(size):
                q = posterior @ p[:, other]
                for e in range(count):
                    if score == "mse":
                        loss = ((p[e, other] - q) ** 2).sum()
                    else:
                        some = p[e, other] > 0
                        loss = (p[e, other][some] * np.log(p[e, other][some] / q[some])).sum()
                    v[x, other] += p[:, x, y].mean() * loss
    return v


@pytest.mark.parametrize(("labels", "count"), [(2, 2), (3, 5), (6, 3)])
def test_core_mse_is_the_definition(labels: int, count: int) -> None:
    p = members(12, labels, count)
    v = by_definition(p, "mse")
    scores, vectors = core_mse(p)
    np.testing.assert_allclose(scores, v.mean(axis=1), rtol=1e-10)
    np.testing.assert_allclose(vectors @ vectors.T, v @ v.T, rtol=1e-9)
    assert vectors.shape[1] <= count * (count - 1) // 2


def test_core_mse_where_all_members_exclude_a_label() -> None:
    p = members(8)
    p[:, 2] = [0.0, 0.25, 0.75]
    p[:, 5] = [1.0, 0.0, 0.0]
    np.testing.assert_allclose(core_mse(p)[0], by_definition(p, "mse").mean(axis=1), rtol=1e-10)


@pytest.mark.parametrize(("labels", "count"), [(2, 2), (3, 5), (6, 3)])
def test_core_log_is_the_definition(labels: int, count: int) -> None:
    p = members(12, labels, count)
    np.testing.assert_allclose(core_log(p, p), by_definition(p, "log"), rtol=1e-9, atol=1e-14)


def test_core_log_where_all_members_exclude_a_label() -> None:
    p = members(8)
    p[:, 2] = [0.0, 0.25, 0.75]
    np.testing.assert_allclose(core_log(p, p), by_definition(p, "log"), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("strategy", [Bemps, BempsCoreLog])
def test_picks_inform_about_every_group_of_uncertain_items(strategy: type) -> None:
    """The members agree on half of the items and differ on three groups, in each in another way."""
    rng = stream(2, "groups")
    group = np.arange(240) % 6
    views = 3 * np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])  # [group, member]
    logit = rng.normal(size=(4, 240)) * 0.1 + np.where(group < 3, views[group % 3].T, 4.0)
    p = np.stack([1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(logit))], axis=2)
    picks = strategy().select(Signals(tuple(f"{row:03d}" for row in range(240)), dropout=p), 9, stream(3))
    assert {group[int(chosen.id)] for chosen in picks} == {0, 1, 2}


def test_members_that_agree_give_a_full_batch_all_the_same() -> None:
    p = np.repeat(members(20)[:1], 4, axis=0)
    picks = Bemps().select(Signals(tuple(f"{row:02d}" for row in range(20)), dropout=p), 5, stream(3))
    assert [chosen.id for chosen in picks] == ["00", "01", "02", "03", "04"]
    assert [chosen.score for chosen in picks] == [0.0] * 5


def test_a_batch_is_diverse_in_direction_not_in_size() -> None:
    sizes = np.tile(np.geomspace(1.0, 1000.0, 20), 2)
    vectors = sizes[:, None] * np.repeat(np.eye(2), 20, axis=0)
    ids = [f"{row:02d}" for row in range(40)]
    picks = pick_diverse(ids, np.ones(40), vectors, 2, stream(3))  # all scores equal: the first 20 ids are kept
    assert [chosen.id for chosen in picks] == ["00", "01"]
    picks = pick_diverse(ids, np.tile(np.arange(20.0), 2), vectors, 2, stream(3))
    assert sorted(int(chosen.id) // 20 for chosen in picks) == [0, 1]


@pytest.mark.parametrize("middles", [np.eye(5), np.arange(1.0, 6.0)[:, None] * np.ones(5)])
def test_nearest_to_centres_takes_one_of_each_cluster(middles: np.ndarray) -> None:
    """Five clusters around the axes, and five along one line through the origin."""
    kind = np.arange(500) % 5
    points = 20 * middles[kind] + stream(4).normal(size=(500, 5))
    rows = nearest_to_centres(points, 5, stream(5))
    assert sorted(kind[rows]) == list(range(5))
    for row in rows:
        assert row == np.linalg.norm(points - points[kind == kind[row]].mean(axis=0), axis=1).argmin()


@pytest.mark.filterwarnings("error")
def test_nearest_to_centres_of_fewer_distinct_points_than_centres() -> None:
    points = np.repeat(np.eye(3), 4, axis=0)
    rows = nearest_to_centres(points, 5, stream(6))
    assert sorted(row // 4 for row in rows) == [0, 1, 2]
    assert rows == nearest_to_centres(points, 5, stream(6))
