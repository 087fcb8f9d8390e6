"""How one annotator reads answers: plants an answer tree for each text."""

from collections.abc import Callable, Sequence

import numpy as np

from mollia_cli.annotators.llama.answers.completion import LEARNING_FLOOR, LEARNING_TEXTS, Completions
from mollia_cli.annotators.llama.answers.sampling import Softmax
from mollia_cli.annotators.llama.answers.scores import Scores
from mollia_cli.annotators.llama.answers.tree import AnswerTree
from mollia_cli.annotators.llama.answers.trie import LabelTrie
from mollia_cli.annotators.llama.answers.votes import SHOWN_TOKENS, ExactVotes, NoVotes, SampledVotes, Votes
from mollia_cli.annotators.llama.decode.encoding import Vocabulary
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.prompting import Decoding
from mollia_cli.domain.rng import stream

FLOOR = 9e-3  # answer prefixes that promise less probability than this are bounded, not decoded
_MOST_CHILDREN = 64


class Reader:
    """Plants trees for one model, label set, decoding and prompt; ``learn`` first."""

    def __init__(
        self, model: Vocabulary, labels: LabelSet, decoding: Decoding, *, model_digest: str, show_invalid: int = 0
    ) -> None:
        self._classes = len(labels)
        self._trie = LabelTrie(labels.names, model.pieces)
        self._softmax = Softmax(model.n_vocab)
        self._end_tokens = np.array(model.end_tokens, dtype=np.int64)
        self._pieces = model.pieces
        self._decoding = decoding
        self._digest = model_digest
        self._show = show_invalid
        self._completions = Completions()

    def learn(self, read: Callable[[Sequence[Item], Callable[[Item], AnswerTree]], object]) -> None:
        """Have a few fixed texts' answers read deeply, to know what pruned branches are worth."""
        nothing = Completions()
        texts = {str(i): Item(str(i), text) for i, text in enumerate(LEARNING_TEXTS)}
        scores = {i: self._scores(nothing, LEARNING_FLOOR) for i in texts}
        read(list(texts.values()), lambda item: self._tree(scores[item.id], NoVotes(self._classes)))
        self._completions = Completions(each.trace for each in scores.values())

    def plant(self, item: Item) -> AnswerTree:
        """An empty answer tree, with random numbers that depend on seed, model and item alone."""
        return self._tree(self._scores(self._completions, FLOOR), self._votes(item))

    def _tree(self, scores: Scores, votes: Votes) -> AnswerTree:
        return AnswerTree(self._trie, scores, votes, most=_MOST_CHILDREN)

    def _scores(self, completions: Completions, floor: float) -> Scores:
        return Scores(self._classes, self._softmax, self._end_tokens, completions, floor)

    def _votes(self, item: Item) -> Votes:
        common = (self._classes, self._softmax, self._end_tokens, self._decoding)
        if self._decoding.votes == "exact":
            return ExactVotes(*common, self._completions, FLOOR)
        depth = max(self._trie.max_depth, SHOWN_TOKENS if self._show else 0)
        random = stream(self._decoding.seed, "votes", self._digest, item.id)
        return SampledVotes(*common, random.random((depth, self._decoding.samples)), self._pieces, self._show)
