"""The answer tree of one text: which token prefixes of answers are decoded, for scores and for votes.

Scores ask for every prefix whose probability reaches a floor; votes ask for those that a
generation passed. A prefix that both ask for is decoded once. Scores do not depend on votes.
"""

from dataclasses import dataclass

import numpy as np

from mollia_cli.annotators.llama.answers.completion import Path
from mollia_cli.annotators.llama.answers.scores import Scores
from mollia_cli.annotators.llama.answers.trie import LabelTrie
from mollia_cli.annotators.llama.answers.votes import Ballot, Votes
from mollia_cli.annotators.llama.binding.llama import Logits
from mollia_cli.domain.observations import IntArray, Observation

_TINY = 1e-30  # keeps log-probabilities finite
_OUTSIDE = -1  # state of an answer that can no longer become a label


@dataclass(slots=True, eq=False)
class Node:
    """One token prefix: its probability for the scores (0 where they do not ask), and its ballot."""

    path: Path
    state: int
    mass: float
    ballot: Ballot
    slot: int = -1

    @property
    def token(self) -> int:
        """The node's own token."""
        return self.path[-1]


@dataclass(slots=True)
class NodeCount:
    """Nodes that were asked for: by the scores, by votes alone, and only to show an answer."""

    trie: int = 0
    votes: int = 0
    shown: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.trie + self.votes + self.shown


class AnswerTree:
    """Hand it the logits of its root and of each node that ``absorb`` returns, in any order.

    ``most``: children of one node that the scores may ask for.
    """

    def __init__(self, trie: LabelTrie, scores: Scores, votes: Votes, most: int) -> None:
        self._trie = trie
        self._scores = scores
        self._votes = votes
        self._most = most
        self.count = NodeCount()
        self.root = Node((), LabelTrie.ROOT, 1.0, votes.everything())

    def open_to(self, node: Node) -> IntArray:
        """The tokens after a node that its scores depend on, but for the end of the answer."""
        if node.state == _OUTSIDE:
            return np.zeros(0, dtype=np.int64)
        step = self._trie.step(node.state)
        return np.concatenate([step.tokens, step.done_tokens])

    def absorb(self, node: Node, row: Logits) -> list[Node]:
        """Take in what a node's logits say; returns the children to be decoded."""
        step = None if node.state == _OUTSIDE else self._trie.step(node.state)
        ballots, strays = self._votes.read(node.path, node.ballot, step, row)
        children = []
        if step is not None:
            masses = self._scores.read(node.path, node.mass, step, row, self._most)
            for i in masses | ballots:
                path = (*node.path, int(step.tokens[i]))
                children.append(Node(path, int(step.next[i]), masses.get(i, 0.0), ballots.get(i, Ballot())))
            self.count.trie += len(masses)
            self.count.votes += len(ballots.keys() - masses.keys())
        for token, ballot in strays.items():
            children.append(Node((*node.path, token), _OUTSIDE, 0.0, ballot))
        self.count.shown += len(strays)
        return children

    def abandon(self, node: Node) -> None:
        """Give up a child for want of room; its generations count as invalid."""
        self._scores.abandon(node.mass)

    def observation(self, item_id: str, *, prompt_tokens: int, truncated: bool) -> Observation:
        """What was read, once no node is left."""
        scores = np.maximum(self._scores.total, _TINY)
        votes = self._votes.shares()
        return Observation(
            item_id=item_id,
            log_probs=np.log(scores),
            votes=votes,
            mass=float(min(scores.sum(), 1.0)),
            invalid=float(np.clip(1.0 - votes.sum(), 0.0, 1.0)),
            slack=self._scores.slack,
            answers=tuple(self._votes.answers),
            tokens=prompt_tokens + self.count.total,
            truncated=truncated,
        )


def failed(item_id: str, classes: int, reason: str) -> Observation:
    """The observation of an item that the model failed on."""
    return Observation(
        item_id=item_id,
        log_probs=np.full(classes, np.log(_TINY)),
        votes=np.zeros(classes),
        mass=0.0,
        invalid=1.0,
        answers=(reason,),
    )
