import numpy as np
import pytest

from mollia_cli.domain.rng import stream
from mollia_cli.learners.splits import validation_split


def split(targets, seed=0, **settings):
    return validation_split(np.array(targets, dtype=np.int64), stream(seed, "validation"), **{"least": 0} | settings)


def test_rows_are_disjoint_and_complete():
    training, validation = split([0, 1, 2, 1, 0] * 20)
    assert len(validation) == 20
    assert sorted([*training, *validation]) == list(range(100))


def test_labels_keep_their_shares():
    targets = np.array([0] * 60 + [1] * 30 + [2] * 10)
    _, validation = split(targets)
    assert np.bincount(targets[validation]).tolist() == [12, 6, 2]


@pytest.mark.parametrize("n", range(12))
def test_every_label_keeps_a_training_row(n):
    targets = np.array([0, 1, 2, 2, 2, 1, 0, 2, 2, 2, 2, 3][:n], dtype=np.int64)
    training, validation = split(targets, fraction=0.5)
    assert set(targets[training]) == set(targets)
    assert len(training) + len(validation) == n


def test_a_label_seen_once_is_trained_on():
    training, validation = split([0, 1, 2], fraction=0.5)
    assert training.tolist() == [0, 1, 2]
    assert validation.tolist() == []


def test_the_cap_holds():
    assert len(split([0, 1] * 500, most=50)[1]) == 50


def test_the_same_seed_gives_the_same_rows_and_another_gives_others():
    targets = [0, 1] * 50
    assert split(targets, 1)[1].tolist() == split(targets, 1)[1].tolist()
    assert split(targets, 1)[1].tolist() != split(targets, 2)[1].tolist()


def test_few_labels_are_all_trained_on():
    assert len(split([0, 1] * 49, least=100)[1]) == 0
    assert len(split([0, 1] * 50, least=100)[1]) == 20
