"""Verdicts as arrays: rows follow the ids, whatever is done with them."""

import numpy as np
import pytest

from mollia_cli.domain.verdicts import Verdicts


def made(ids: str, shift: int = 0) -> Verdicts:
    """A row for each letter, told by its numbers."""
    places = np.array([ord(letter) - ord("a") for letter in ids], dtype=np.int64)
    labels = (places + shift) % 3
    probabilities = np.full((len(ids), 3), 0.1)
    probabilities[np.arange(len(ids)), labels] = 0.8 + places / 100
    negatives = np.zeros((len(ids), 3), dtype=bool)
    negatives[np.arange(len(ids)), (labels + 1) % 3] = True
    return Verdicts(tuple(ids), labels, probabilities, negatives)


def same(found: Verdicts, expected: Verdicts) -> bool:
    columns = ("labels", "probabilities", "negatives")
    return found.ids == expected.ids and all(
        np.array_equal(getattr(found, name), getattr(expected, name)) for name in columns
    )


def test_rows_are_taken_in_the_order_given() -> None:
    verdicts = made("abcde")
    assert same(verdicts.take([3, 0, 3]), made("dad"))
    assert same(verdicts.of(["e", "b"]), made("eb"))
    assert same(verdicts.without({"a", "d", "z"}), made("bce"))
    assert same(verdicts.take([]), Verdicts.none(3)) and same(verdicts.of(()), Verdicts.none(3))
    with pytest.raises(KeyError, match="z"):
        verdicts.of(["a", "z"])


def test_an_updated_row_keeps_its_place_and_new_ones_follow() -> None:
    found = made("abc").updated(made("xby", shift=1))
    assert same(found, made("a").joined(made("b", 1), made("c"), made("xy", 1)))
    assert same(made("abc").updated(Verdicts.none(3)), made("abc"))
    assert same(Verdicts.none(3).updated(made("ab")), made("ab"))


def test_confidence_is_the_labels_probability_also_where_another_is_higher() -> None:
    verdicts = Verdicts(("a",), np.array([1]), np.array([[0.6, 0.4]]), np.zeros((1, 2), dtype=bool))
    assert verdicts.confidences.tolist() == [0.4]


def test_one_by_one() -> None:
    [first, second] = made("bc").rows()
    assert (first.item_id, first.label, first.confidence, first.negatives) == ("b", 1, 0.81, (2,))
    assert (second.item_id, second.label, second.negatives) == ("c", 2, (0,))
    assert second.probabilities.tolist() == made("c").probabilities[0].tolist()


@pytest.mark.parametrize(
    ("ids", "labels", "probabilities", "negatives"),
    [
        (("a",), np.zeros(1, dtype=int), np.ones((1, 3)), np.zeros((1, 2), dtype=bool)),
        (("a",), np.zeros(1, dtype=int), np.ones(3), np.zeros(3, dtype=bool)),
        (("a", "b"), np.zeros(1, dtype=int), np.ones((1, 3)), np.zeros((1, 3), dtype=bool)),
        (("a",), np.zeros((1, 1), dtype=int), np.ones((1, 3)), np.zeros((1, 3), dtype=bool)),
        (("a",), np.zeros(1), np.ones((1, 3)), np.zeros((1, 3), dtype=bool)),
        (("a",), np.zeros(1, dtype=int), np.ones((1, 3)), np.zeros((1, 3), dtype=int)),
    ],
)
def test_other_shapes_and_kinds_are_refused(
    ids: tuple[str, ...], labels: np.ndarray, probabilities: np.ndarray, negatives: np.ndarray
) -> None:
    with pytest.raises(ValueError):
        Verdicts(ids, labels, probabilities, negatives)
