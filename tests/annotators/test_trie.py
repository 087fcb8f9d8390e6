"""The label trie on a vocabulary that can be read."""

import numpy as np
import pytest

from mollia_cli.annotators.llama.answers.trie import LabelTrie
from mollia_cli.domain.labels import normalise_answer

NAMES = ("human", "Human being", "entité", "no")
PIECES = [
    piece.encode()
    for piece in (
        *("hu", "man", "Human", " human", "HUMAN", "x", "humanx", '"', " ", "\n", ".", ".\n", ".\n\nWell", " being"),
        *(" be", "ing", "en", "tit", "é", "no", "NO", "not", "", "«", "’", '".', '"human"', "e\u0301", "   ", "ß"),
    )
] + [b"\xc3", b"\xa9", b"\x89"]
END = -7  # stands for a token that ends the generation


@pytest.fixture(scope="module")
def trie() -> LabelTrie:
    return LabelTrie(NAMES, PIECES)


def outcome(trie: LabelTrie, *tokens: int) -> int | None:
    """The label that a token path ends as, None where it dies or has not ended."""
    state = trie.ROOT
    for i, token in enumerate(tokens):
        step = trie.step(state)
        if token == END:
            return step.ends if step.ends >= 0 and i == len(tokens) - 1 else None
        place = step.where.get(token)
        if place is None:
            return None
        if place < 0:
            return -1 - place if i == len(tokens) - 1 else None
        state = int(step.next[place])
    return None


def path(*pieces: str | bytes) -> list[int]:
    return [PIECES.index(p if isinstance(p, bytes) else p.encode()) for p in pieces]


@pytest.mark.parametrize(
    ("pieces", "label"),
    [
        (["hu", "man"], "human"),
        (["Human"], "human"),
        (["HUMAN", "."], "human"),
        (['"', "Human", '"', "."], "human"),
        (['"human"'], "human"),
        (["\n", " human", '".'], "human"),
        (["Human", " being"], "Human being"),
        (["hu", "man", " be", "ing", "."], "Human being"),
        (["en", "tit", "é"], "entité"),
        (["en", "tit", b"\xc3", b"\xa9"], "entité"),
        (["en", "tit", b"\xc3", b"\x89"], "entité"),  # É in two bytes
        (["NO"], "no"),
    ],
)
def test_forms_of_a_label_end_as_it(trie: LabelTrie, pieces: list[str], label: str) -> None:
    assert outcome(trie, *path(*pieces), END) == NAMES.index(label)
    assert outcome(trie, *path(*pieces, "\n")) == NAMES.index(label)
    assert normalise_answer(b"".join(PIECES[t] for t in path(*pieces)).decode()) == normalise_answer(label)


@pytest.mark.parametrize(
    "pieces", [["humanx"], ["hu"], ["hu", "x"], ["not"], ["no", "no"], ["en", "tit", "ß"], ["."], []]
)
def test_anything_else_is_no_label(trie: LabelTrie, pieces: list[str]) -> None:
    assert outcome(trie, *path(*pieces), END) is None


def test_what_follows_the_newline_is_ignored(trie: LabelTrie) -> None:
    assert outcome(trie, *path("Human", ".\n")) == 0
    assert outcome(trie, *path("Human", ".\n\nWell")) == 0
    assert outcome(trie, *path("Human", "\n"), END) is None  # it has ended before


def test_a_beginning_is_shared_by_the_labels_that_it_can_become(trie: LabelTrie) -> None:
    step = trie.step(trie.ROOT)
    share = {PIECES[t]: row for t, row in zip(step.tokens, step.share, strict=True)}
    np.testing.assert_allclose(share[b"hu"], [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(share[b"en"], [0, 0, 1, 0])
    np.testing.assert_allclose(share[b'"'], [0.25] * 4)


def test_junk_is_bounded_so_that_every_answer_is(trie: LabelTrie) -> None:
    spaces = path("   ", " ")
    assert outcome(trie, *spaces, *path("no"), END) == 3
    assert outcome(trie, *spaces, *path(" ", "no"), END) is None
    assert outcome(trie, *path("no", ".", ".", ".", ".", "."), END) is None


def test_sharp_s_is_two_letters() -> None:
    trie = LabelTrie(("strasse", "weg"), [b"stra", "ß".encode(), b"e", b"ss"])
    for middle in (1, 3):
        state = trie.ROOT
        for token in (0, middle, 2):
            step = trie.step(state)
            state = int(step.next[step.where[token]])
        assert trie.step(state).ends == 0
