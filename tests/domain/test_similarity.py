"""Near-duplicates: the same text but for its form, and by the Jaccard similarity of word trigrams."""

import time

import pytest

from mollia_cli.domain.similarity import fold, grams, similar_to_any

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


@pytest.mark.parametrize(
    ("text", "other", "same"),
    [
        ("Where is it?", "where  is\tit", True),
        ("<p>Where is <b>it</b></p>", "where is it", True),
        ("Tom &amp; Jerry", "tom & jerry!", True),
        ("Tom &amp; Jerry", "tom jerry", True),  # & is punctuation
        ("a&nbsp;b &lt;br&gt; c", "A b c", True),
        ("<!-- note --> one", "one", True),
        ("Straße", "STRASSE", True),
        ("version 1.5", "version 15", False),
        ("good \N{THUMBS UP SIGN}", "good \N{THUMBS DOWN SIGN}", False),
        ("a < b", "a > b", False),
        ("i <3 you", "i you", False),
        ("???", "!!!", False),
        ("a part", "apart", False),
    ],
)
def test_what_form_is(text: str, other: str, same: bool) -> None:
    assert (fold(text) == fold(other)) is same


@pytest.mark.parametrize("part", ["<", "<a", "<!--", "&", "&#", "\u0301\u0316", "\ud83d", "\0"])
def test_a_hostile_text_takes_no_longer_than_another(part: str) -> None:
    begin = time.process_time()
    fold(part * 200_000)
    assert time.process_time() - begin < 2
