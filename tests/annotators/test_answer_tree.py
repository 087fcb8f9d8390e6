"""Scores and votes of one text on a vocabulary that can be read: what is drawn, what is pruned, what is left open."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mollia_cli.annotators.llama.answers.completion import Completions
from mollia_cli.annotators.llama.answers.sampling import Softmax
from mollia_cli.annotators.llama.answers.scores import Scores
from mollia_cli.annotators.llama.answers.tree import AnswerTree
from mollia_cli.annotators.llama.answers.trie import LabelTrie
from mollia_cli.annotators.llama.answers.votes import ExactVotes, NoVotes, SampledVotes, Votes
from mollia_cli.annotators.llama.binding.llama import Logits
from mollia_cli.annotators.llama.decode.reader import Reader
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.prompting import Decoding

NAMES = ("xx", "xy", "yx", "yy")
PIECES = [b"x", b"y", b"?", b"\n", b"", b""]
ENDS = np.array([4, 5])
TRIE = LabelTrie(NAMES, PIECES)
UNTEMPERED = Decoding(temperature=1.0, top_p=1.0)


def logits(
    x: float = 0.0, y: float = 0.0, other: float = 0.0, newline: float = 0.0, ends: tuple[float, float] = (0.0, 0.0)
) -> Logits:
    """A row of these probabilities."""
    return np.log(np.array([x, y, other, newline, *ends], dtype=np.float32) + np.float32(1e-9))


def scores(floor: float = 0.0) -> Scores:
    return Scores(len(NAMES), Softmax(len(PIECES)), ENDS, Completions(), floor)


def sampled(uniforms: Sequence[Sequence[float]]) -> SampledVotes:
    return SampledVotes(len(NAMES), Softmax(len(PIECES)), ENDS, UNTEMPERED, np.array(uniforms), PIECES, show=0)


def exact(floor: float = 0.0) -> ExactVotes:
    return ExactVotes(len(NAMES), Softmax(len(PIECES)), ENDS, UNTEMPERED, Completions(), floor)


def grow(tree: AnswerTree, rows: Sequence[Logits]) -> Observation:
    """Read a tree of which all nodes at one depth have the same row."""
    nodes = [tree.root]
    for row in rows:
        nodes = [child for node in nodes for child in tree.absorb(node, row)]
    return tree.observation("a", prompt_tokens=1, truncated=False)


END = logits(ends=(0.5, 0.5))
ROWS = [logits(x=0.5, y=0.5), logits(x=0.5, y=0.5), END]


def test_each_depth_of_a_generation_has_its_own_random_number() -> None:
    """Four generations that differ in their first or in their second number become four labels."""
    uniforms = [[0.1, 0.1, 0.9, 0.9], [0.1, 0.9, 0.1, 0.9], [0.5] * 4]
    votes = grow(AnswerTree(TRIE, scores(), sampled(uniforms), most=8), ROWS).votes
    np.testing.assert_array_equal(votes, [0.25, 0.25, 0.25, 0.25])


def test_low_random_numbers_draw_the_most_probable() -> None:
    row = logits(x=0.3, y=0.7)
    votes = grow(AnswerTree(TRIE, scores(), sampled([[0.1, 0.6, 0.8]] * 3), most=8), [row, row, END]).votes
    np.testing.assert_allclose(votes, [1 / 3, 0, 0, 2 / 3])


def test_generations_that_are_no_label_count_among_all() -> None:
    rows = [logits(x=0.5, other=0.5), logits(x=0.5, y=0.5), END]
    uniforms = [[0.1, 0.1, 0.1, 0.9], [0.1, 0.9, 0.1, 0.5], [0.5] * 4]
    seen = grow(AnswerTree(TRIE, scores(), sampled(uniforms), most=8), rows)
    np.testing.assert_array_equal(seen.votes, [0.5, 0.25, 0, 0])
    assert seen.invalid == 0.25
    assert seen.mass == pytest.approx(0.5, abs=1e-6)


def test_exact_votes_are_the_products_along_the_paths() -> None:
    rows = [logits(x=0.25, y=0.75), logits(x=0.5, y=0.4, other=0.1), END]
    seen = grow(AnswerTree(TRIE, scores(), exact(), most=8), rows)
    np.testing.assert_allclose(seen.votes, [0.125, 0.1, 0.375, 0.3], atol=1e-6)
    assert seen.invalid == pytest.approx(0.1, abs=1e-6)


def test_exact_votes_under_the_floor_count_as_such_branches_usually_do() -> None:
    """x's .1 is not followed: a quarter of it to each of xx and xy, which is what is known of it."""
    rows = [logits(x=0.1, y=0.9), logits(x=0.5, y=0.5), END]
    votes = grow(AnswerTree(TRIE, scores(), exact(floor=0.2), most=8), rows).votes
    np.testing.assert_allclose(votes, [0.025, 0.025, 0.45, 0.45], atol=1e-6)


def test_every_token_that_ends_a_generation_and_a_newline_end_a_label() -> None:
    rows = [logits(x=1.0), logits(y=1.0), logits(ends=(0.5, 0.25), newline=0.125, other=0.125)]
    seen = grow(AnswerTree(TRIE, scores(), NoVotes(len(NAMES)), most=8), rows)
    np.testing.assert_allclose(np.exp(seen.log_probs), [0, 0.875, 0, 0], atol=1e-6)
    assert seen.mass == pytest.approx(0.875, abs=1e-6)


def test_what_is_pruned_is_counted_as_slack() -> None:
    """Of the root's branches only y is worth decoding: x's .1 lies open, and no estimate is further off than that."""
    found = scores(floor=0.2)
    kept = found.read((), 1.0, TRIE.step(TRIE.ROOT), logits(x=0.1, y=0.9), most=8)
    assert [PIECES[TRIE.step(TRIE.ROOT).tokens[i]] for i in kept] == [b"y"]
    guessed = found.total.copy()
    assert found.slack == pytest.approx(0.1 * 0.75, abs=1e-6)  # a quarter to each of two labels: one may be all of it
    for truth in ([0.1, 0, 0, 0], [0, 0.1, 0, 0], [0.05, 0.05, 0, 0], [0, 0, 0, 0]):
        assert np.abs(guessed - truth).max() <= found.slack + 1e-6


def test_branches_beyond_the_most_are_slack_too() -> None:
    found = scores()
    kept = found.read((), 1.0, TRIE.step(TRIE.ROOT), logits(x=0.4, y=0.6), most=1)
    assert len(kept) == 1
    assert found.slack == pytest.approx(0.4 * 0.75, abs=1e-6)


@pytest.mark.parametrize("votes", [NoVotes(len(NAMES)), sampled([[0.1, 0.9]] * 3)])
def test_an_abandoned_branch_leaves_all_its_mass_open(votes: Votes) -> None:
    tree = AnswerTree(TRIE, scores(), votes, most=8)
    children = tree.absorb(tree.root, logits(x=0.3, y=0.7))
    for child in children:
        tree.abandon(child)
    seen = tree.observation("a", prompt_tokens=1, truncated=False)
    assert seen.slack == pytest.approx(1.0, abs=1e-6)
    assert seen.mass == pytest.approx(0.0, abs=1e-6)
    assert seen.invalid == 1.0


@pytest.mark.parametrize(
    ("names", "whole", "begun"),
    [
        (("caf\u00e9", "tea"), [b"caf", b"\xc3", b"\xa9"], [b"caf", b"\xc3"]),  # the label's last letter
        (("tea", "milk"), [b"tea", b"\xe2", b"\x80", b"\x9d"], [b"tea", b"\xe2", b"\x80"]),  # a quote behind it
    ],
)
def test_an_answer_is_not_complete_in_the_middle_of_a_character(
    names: tuple[str, ...], whole: list[bytes], begun: list[bytes]
) -> None:
    pieces = sorted({*whole, b"tea", b"\n"})
    trie = LabelTrie(names, pieces)

    def step_after(path: list[bytes]) -> tuple[int, set[bytes]]:
        """The label that is complete after a path, and the tokens that complete one."""
        state = trie.ROOT
        for piece in path:
            step = trie.step(state)
            state = int(step.next[step.where[pieces.index(piece)]])
        step = trie.step(state)
        return step.ends, {pieces[token] for token in step.done_tokens}

    assert step_after(whole) == (0, {b"\n"})
    assert step_after(begun) == (-1, set())


def planted(item_id: str = "a", seed: int = 0, digest: str = "d", samples: int = 400) -> AnswerTree:
    """A tree as one LLM's reader plants it for an item."""
    model: Any = SimpleNamespace(pieces=PIECES, n_vocab=len(PIECES), end_tokens=ENDS.tolist())
    decoding = Decoding(temperature=1.0, top_p=1.0, samples=samples, seed=seed)
    return Reader(model, LabelSet(NAMES), decoding, model_digest=digest).plant(Item(item_id, "text"))


def test_a_reader_draws_each_depth_and_each_generation_anew() -> None:
    votes = grow(planted(), ROWS).votes
    assert votes.sum() == 1.0
    assert np.abs(votes - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 400)


def test_the_random_numbers_are_the_items_the_models_and_the_seeds() -> None:
    first = grow(planted(), ROWS).votes
    np.testing.assert_array_equal(grow(planted(), ROWS).votes, first)
    for other in (planted("b"), planted(seed=1), planted(digest="e")):
        assert (grow(other, ROWS).votes != first).any()
