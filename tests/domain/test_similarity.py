"""Near-duplicates by the Jaccard similarity of word trigrams."""

import pytest

from mollia_cli.domain.similarity import grams, similar_to_any

TEXT = "one two three four five six"  # four trigrams


def test_trigrams() -> None:
    assert grams("Don't STOP, now") == {("don", "t", "stop"), ("t", "stop", "now")}
    assert grams("short") == {("short",)}
    assert grams("") == {()}


@pytest.mark.parametrize(
    ("other", "similarity"),
    [
        (TEXT.upper() + "!", 1.0),
        ("one two three four five seven", 3 / 5),
        (f"{TEXT} seven eight nine ten eleven", 4 / 9),  # all of the text, in one that says as much again
        ("seven eight nine", 0.0),
    ],
)
def test_the_share_of_all_trigrams_that_both_have(other: str, similarity: float) -> None:
    for threshold in (0.3, 0.5, 0.7):
        found = similar_to_any([TEXT], [other], threshold)
        assert found == ({0} if similarity >= threshold else set())
    assert similar_to_any([TEXT], [other], max(similarity, 1e-9)) == ({0} if similarity else set())  # a tie is similar


def test_each_candidate_is_compared_with_all_texts() -> None:
    assert similar_to_any([TEXT, "something else altogether now", "x"], ["x", TEXT]) == {0, 2}
