"""Variants of an item (word-level changes, paraphrases): how words are changed, and which item one belongs to."""

import re
from collections.abc import Sequence

import numpy as np

WORDS, PARAPHRASE = "words", "paraphrase"
_ID = re.compile(rf"(.*)~(?:{WORDS}|{PARAPHRASE})\d+", re.DOTALL)
# nlpaug's default: 30% of the words, at most 10.
_SHARE, _MOST = 0.3, 10


def variant_id(item_id: str, kind: str, number: int) -> str:
    """The id of an item's ``number``-th variant of a kind: observations of it are stored under this id."""
    return f"{item_id}~{kind}{number}"


def original_id(item_id: str) -> str:
    """The id of the item that this is a variant of; itself, if of none."""
    found = _ID.fullmatch(item_id)
    return found[1] if found else item_id


def vary(text: str, vocabulary: Sequence[str], rng: np.random.Generator) -> str:
    """The text with 30% of its words (one at least, ten at most) replaced, swapped or deleted at random.

    Source: Ma 2019 (nlpaug); Wei and Zou 2019 (EDA) find that such changes help small text sets.
    """
    words = text.split()
    if not words or not vocabulary:
        return text
    for _ in range(min(_MOST, max(1, round(_SHARE * len(words))))):
        at, change = int(rng.integers(len(words))), int(rng.integers(3))
        if change == 0:
            words[at] = vocabulary[int(rng.integers(len(vocabulary)))]
        elif change == 1 and at + 1 < len(words):
            words[at], words[at + 1] = words[at + 1], words[at]
        elif len(words) > 1:
            del words[at]
    return " ".join(words)
