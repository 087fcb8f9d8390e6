"""The walk over the labels' token trie by a server's log-probabilities: the in-process reader's, row by row.

One question holds the prefixes that a text's answer tree asks for, as token ids; of each the server continues greedily,
and states the most probable tokens at every step, so that one prefix answers for several nodes. A text has its prompt
and its first greedy answer read first, then whatever its tree asks for, all at once: as many questions as the tree has
levels that greedy answers do not reach.
"""

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from mollia_cli.annotators.llama.answers.completion import COMPLETION_RULE
from mollia_cli.annotators.llama.answers.sampling import SAMPLING_RULE
from mollia_cli.annotators.llama.answers.tree import AnswerTree, Node
from mollia_cli.annotators.llama.answers.trie import TRIE_RULE
from mollia_cli.annotators.llama.binding.llama import TokenArray
from mollia_cli.annotators.llama.decode.encoding import CUT_RULES, Encoder, Vocabulary
from mollia_cli.annotators.llama.decode.reader import FLOOR, Reader
from mollia_cli.annotators.server.base import ServerAnnotator
from mollia_cli.annotators.server.rows import TOP, MalformedError, Row
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation, joined
from mollia_cli.domain.printable import count
from mollia_cli.domain.prompting import Prompt

WALK_RULE = f"top-{TOP}, greedy rows/1"
AUTO_CONTEXT = 4096  # tokens of a prompt where no context is set, as in process
_TOGETHER = 64  # prefixes of one question
_PROBE = "The most beautiful city of the country is"
_ENOUGH = 0.5  # of the probability must be stated at the probe
_SHOWN = 5  # tokens of the probe that are kept

Prefix = tuple[int, ...]


class WalkingServer(ServerAnnotator):
    """A server that takes token ids and states raw log-probabilities."""

    scores: ClassVar[str] = "log-probabilities"

    @abstractmethod
    def _vocabulary(self) -> Vocabulary:
        """The model's tokens, as the server states them."""

    @abstractmethod
    def _rows(self, prefixes: Sequence[Sequence[int]], steps: int, temperature: float = 0.0) -> list[list[Row]]:
        """Of each prefix the rows of at most so many steps, the first one of what follows the prefix itself."""

    @property
    @abstractmethod
    def _longest(self) -> int:
        """Tokens that a prompt with its answer may have at the server."""

    def _reading(self) -> Mapping[str, Any]:
        return {
            "walk": WALK_RULE,
            "context": self._context.tokens or AUTO_CONTEXT,
            "cut": CUT_RULES[self._context.long],
            "trie": TRIE_RULE,
            "floor": FLOOR,
            "completion": COMPLETION_RULE,
            "sampling": SAMPLING_RULE,
        }

    def _prepare(self) -> None:
        """Tokenise the prompt, and learn what pruned branches are worth."""
        vocabulary, prompt = self._vocabulary(), self._context.prompt()
        self._n_vocab = vocabulary.n_vocab
        self._lock = threading.Lock()  # trees of one reader share what they work with
        names = self._labels.names
        self._steps = 1 + max(len(vocabulary.tokenize(name)) for name in names)
        limit = min(self._context.tokens or AUTO_CONTEXT, self._longest)
        limit -= max(len(name.encode()) for name in names) + 32
        self._encoders = [
            Encoder(vocabulary, half, limit=limit, long=self._context.long, around=self._around(half))
            for half in prompt.halves
        ]
        self._readers = []
        for encoder in self._encoders:
            reader = Reader(
                vocabulary,
                self._labels,
                self._context.decoding,
                model_digest=self.digest,
                show_invalid=self._context.show_invalid,
            )

            def read(items: Sequence[Item], plant: Callable[[Item], AnswerTree], encoder: Encoder = encoder) -> None:
                for item in items:
                    self._walk(encoder.all_tokens(item.text), plant(item))

            reader.learn(read)
            self._readers.append(reader)

    def _around(self, prompt: Prompt) -> tuple[str, str] | None:
        """What stands before and after a text, where the server has to be asked for it; None: its template is known."""
        return None

    def longer(self, items: Sequence[Item]) -> int:
        """How many items do not fit into the context with the prompt; asks the server."""
        self.load()
        with self.link.open():
            return sum(not self._encoders[self.half_of(item)].fits(item.text) for item in items)

    def preview(self, item: Item) -> str:
        """Exactly what the model sees for an item, control tokens shown."""
        self.load()
        with self.link.open():
            tokens = self._encoders[self.half_of(item)].all_tokens(item.text)
            return self._text_of(tokens.tolist())

    @abstractmethod
    def _text_of(self, tokens: list[int]) -> str:
        """The text of tokens, control tokens shown."""

    def _observe(self, item: Item) -> Observation:
        half = self.half_of(item)
        encoder, reader = self._encoders[half], self._readers[half]
        parts = []
        for text in encoder.parts(item.text):
            encoded = encoder.encode(text)
            tokens = np.concatenate([encoder.shared[: encoded.common], encoded.tokens])
            with self._lock:
                tree = reader.plant(replace(item, text=text))
            slack = self._walk(tokens, tree)
            seen = tree.observation(item.id, prompt_tokens=len(encoded.tokens), truncated=encoded.truncated)
            parts.append(replace(seen, slack=seen.slack + slack))
        return joined(parts)

    def _walk(self, prompt: TokenArray, tree: AnswerTree) -> float:
        """Answer what a tree asks for; returns how much probability of labels no row can have stated at most."""
        tokens, rows, unstated = prompt.tolist(), dict[Prefix, Row](), 0.0
        due = [tree.root]
        while due:
            for begin in range(0, len(due), _TOGETHER):
                asked = [node.path for node in due[begin : begin + _TOGETHER]]
                depth = min(len(path) for path in asked)
                answers = self._rows([[*tokens, *path] for path in asked], max(1, self._steps - depth))
                for path, found in zip(asked, answers, strict=True):
                    if not found:
                        raise MalformedError("no row of a prompt")
                    for row in found:
                        rows[path] = row
                        path = (*path, row.followed)
            with self._lock:
                due, missed = self._absorb(tree, due, rows)
            unstated += missed
        return unstated

    def _absorb(self, tree: AnswerTree, due: list[Node], rows: Mapping[Prefix, Row]) -> tuple[list[Node], float]:
        """Hand the tree all rows that it asks for and that are there; returns the nodes whose rows are not."""
        left, missing, unstated = due[::-1], list[Node](), 0.0
        while left:
            node = left.pop()
            row = rows.get(node.path)
            if row is None:
                missing.append(node)
                continue
            unstated += node.mass * row.most_unstated(tree.open_to(node))
            left += tree.absorb(node, row.logits(self._n_vocab))[::-1]
        return missing, unstated

    def _probe(self, vocabulary: Vocabulary) -> list[list[Any]]:
        """The probabilities of a fixed prompt's next tokens; RefusedError unless raw, whole and always the same."""
        tokens = vocabulary.tokenize(_PROBE, add_special=True).tolist()
        first, again, warm = (self._rows([tokens], 2, temperature)[0] for temperature in (0.0, 0.0, 1.7))
        pairs = ((again[0], "the same when they are asked for again"), (warm[0], "raw, but follow the temperature"))
        for other, what in pairs:
            if (gap := difference(first[0], other)) > _ROUNDS:
                raise self._unusable(f"its probabilities are not {what}: one differs by {gap:.3f}")
        if (whole := 1.0 - first[0].tail) < _ENOUGH or len(first[0].tokens) < min(TOP, vocabulary.n_vocab):
            raise self._unusable(
                f"it states {count(len(first[0].tokens), 'token')} with {whole:.2f} of the probability"
            )
        if len(first) > 1 and difference(self._rows([[*tokens, first[0].followed]], 1)[0][0], first[1]) > _ROUNDS:
            raise self._unusable("a greedy continuation is not what the same tokens as a prompt give")
        top = np.argsort(-first[0].log_probs, kind="stable")[:_SHOWN]
        return [[int(first[0].tokens[i]), round(float(np.exp(first[0].log_probs[i])), 3)] for i in top]

    def _unusable(self, why: str) -> RefusedError:
        return RefusedError(
            f"{self.name} ({self.link.address.written}) cannot be a panel member: {why}",
            "docs/servers.md says how each kind of server is started",
        )


_ROUNDS = 0.02  # by which rounding may change a probability, depending on what a server reads at the same time


def difference(one: Row, other: Row) -> float:
    """The largest difference of a token's probability; of a token that one row has not, its probability."""
    first, second = (dict(zip(row.tokens.tolist(), np.exp(row.log_probs), strict=True)) for row in (one, other))
    return float(max(abs(first.get(token, 0.0) - second.get(token, 0.0)) for token in {**first, **second}))


class StatedVocabulary:
    """A model's tokens as a server states them. ``ask``: its tokenizer (text, add_special, parse_special)."""

    def __init__(
        self,
        pieces: Sequence[bytes],
        controls: Mapping[int, str],
        ask: Callable[[str, bool, bool], list[int]],
        *,
        chat_template: str | None,
        bos: str,
        eos: str,
    ) -> None:
        self.pieces = pieces
        self.n_vocab = len(pieces)
        self.chat_template = chat_template
        self.bos = bos
        self.eos = eos
        self.control_texts = tuple(text for text in controls.values() if text)
        self.end_tokens = tuple(token for token, text in controls.items() if text == eos or text in END_TEXTS)
        self._ask = lru_cache(maxsize=1024)(ask)
        self.adds_bos = len(self._ask("a", True, False)) > len(self._ask("a", False, False))

    def tokenize(self, text: str, *, add_special: bool = False, parse_special: bool = False) -> TokenArray:
        """Token ids of a text; with ``parse_special`` control tokens are recognised in it."""
        tokens = self._ask(text, add_special, parse_special) if text else []
        if max(tokens, default=0) >= self.n_vocab:
            raise MalformedError("it reads a text as tokens that it has not")
        return np.array(tokens, dtype=np.int32)


# Control tokens that end a turn or a text, in the vocabularies that there are; llama.cpp knows them by name, too.
END_TEXTS = frozenset(
    (
        "<|im_end|>",
        "<|endoftext|>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|end_of_text|>",
        "<end_of_turn>",
        "<turn|>",
        "<eos>",
        "</s>",
        "<|end|>",
        "<|return|>",
        "<|call|>",
        "<|endofturn|>",
        "<|end_of_turn|>",
        "<EOT>",
        "_<EOT>",
        "<|eos|>",
        "<|fim_pad|>",
        "<fim_pad>",
        "<|repo_name|>",
        "<reponame>",
        "<|file_sep|>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
        "<end_of_utterance>",
    )
)
