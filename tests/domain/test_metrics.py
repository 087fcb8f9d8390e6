import numpy as np
import pytest

from mollia_cli.domain.metrics import confusion, macro_f1, micro_f1, micro_set_f1, set_f1

TRUE = np.array([0, 0, 1, 1, 1, 2])
GUESS = np.array([0, 1, 1, 1, 0, 0])


def test_confusion_has_true_labels_in_rows():
    assert confusion(TRUE, GUESS, 4).tolist() == [[1, 1, 0, 0], [1, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_micro_f1_is_the_share_that_is_right():
    assert micro_f1(TRUE, GUESS) == pytest.approx(3 / 6)


def test_macro_f1_by_hand():
    # class 0: P 1/3, R 1/2, F1 2/5; class 1: P 2/3, R 2/3; class 2: never predicted; class 3: absent, left out
    assert macro_f1(TRUE, GUESS, 4) == pytest.approx((2 / 5 + 2 / 3 + 0) / 3)


def test_nothing_scores_nothing():
    none = np.zeros(0, dtype=np.int64)
    assert micro_f1(none, none) == 0.0
    assert macro_f1(none, none, 3) == 0.0


def test_f1_of_sets_by_hand():
    true = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], dtype=bool)
    given = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]], dtype=bool)
    # label 0: P 1, R 1/2; label 1: P 1/2, R 1; label 2: nobody has it and nobody is given it
    np.testing.assert_allclose(set_f1(true, given), [2 / 3, 2 / 3, np.nan])
    assert micro_set_f1(true, given) == pytest.approx(2 * 2 / (3 + 3))
    assert micro_set_f1(true[:0], given[:0]) == 0.0
