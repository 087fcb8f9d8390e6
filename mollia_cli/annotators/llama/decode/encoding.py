"""Tokens of a prompt: what all texts share, and what each adds.

Control tokens of the template are tokens; the same characters in a user's text are text.
Everything between the last control token before the text and the first one after it is
tokenised as one string, so that merges across the joints are those the model was trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mollia_cli.annotators.llama.binding.llama import TokenArray
from mollia_cli.annotators.llama.decode.templates import around_text
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count
from mollia_cli.domain.prompting import Prompt

# The rules for texts longer than the context: the first and last half of what fits with this mark between, the
# beginning with the mark behind it, or parts of like length that fit, each read as a text of its own.
HEAD_TAIL, HEAD, SPLIT = "head-tail", "head", "split"
CUT_RULES = {HEAD_TAIL: "head-tail/1", HEAD: "head/1", SPLIT: "split/1"}
_CUT_MARK = " [...] "
_LEAST_TEXT = 32  # tokens of a text that must fit
_JOINTS = 8  # tokens, at most, that a text may add where it meets the prompt
_CHARACTERS_PER_TOKEN = 64  # no vocabulary has many tokens longer than this

# First characters that merge with what stands before them in different ways.
_PROBES = ("How", "a", "I'm", "7", " x", "(", "\u00dcber", "\u4e2d", "\n", '"', "the end", "@", "http://")


class Vocabulary(Protocol):
    """What is to be known of a model's tokens: ``binding.llama.Model``, or what a server states.

    pieces: [n_vocab] the bytes of each token, b'' for control tokens. control_texts: the texts of those. adds_bos: the
    tokenizer puts ``bos`` first.
    """

    @property
    def n_vocab(self) -> int: ...
    @property
    def pieces(self) -> Sequence[bytes]: ...
    @property
    def end_tokens(self) -> tuple[int, ...]: ...
    @property
    def control_texts(self) -> tuple[str, ...]: ...
    @property
    def chat_template(self) -> str | None: ...
    @property
    def bos(self) -> str: ...
    @property
    def eos(self) -> str: ...
    @property
    def adds_bos(self) -> bool: ...
    def tokenize(self, text: str, *, add_special: bool = False, parse_special: bool = False) -> TokenArray: ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text: its first ``common`` tokens are the shared prefix's first, then come ``tokens``."""

    common: int
    tokens: TokenArray
    truncated: bool


class Encoder:
    """Tokenises texts within one prompt.

    ``limit``: tokens that prompt and answer may have in all; ``long``: the rule for a text that has more.
    ``around``: what stands before and after a text, where the model's own chat template is not at hand.
    """

    def __init__(
        self,
        model: Vocabulary,
        prompt: Prompt,
        *,
        limit: int,
        long: str = HEAD_TAIL,
        around: tuple[str, str] | None = None,
    ) -> None:
        self._model = model
        self._limit = limit
        self._long = long
        before, after = around or around_text(prompt, model.chat_template, bos=model.bos, eos=model.eos)
        if model.adds_bos and model.bos and before.startswith(model.bos):
            before = before[len(model.bos) :]  # the tokenizer puts it there itself
        cut = _after_last(before, model.control_texts)
        self._plain_before = before[cut:]
        end = _before_first(after, model.control_texts)
        self._plain_after = after[:end]
        self._fixed = model.tokenize(before[:cut], add_special=True, parse_special=True)
        self._tail = model.tokenize(after[end:], parse_special=True)
        self._split_joint()
        self._fixed_size = self._check_limit()
        self.shared = self._shared_prefix()

    def fits(self, text: str) -> bool:
        """Whether a text is read as a whole."""
        most = self._limit - self._fixed_size  # tokens, of which each has a byte or more; joints may add a few
        if len(text.encode(errors="surrogatepass")) <= most - _JOINTS:
            return True
        if len(text) > _CHARACTERS_PER_TOKEN * self._limit:
            return False
        return len(self._tokens(self._joint + text + self._plain_after)) <= self._limit

    def parts(self, text: str) -> list[str]:
        """The text, or by the rule ``SPLIT`` as few parts of like length as fit, cut at white space if there is any."""
        if self._long != SPLIT or self.fits(text):
            return [text]
        body = len(self._model.tokenize(text))
        count = max(2, -(-body // (self._limit - self._fixed_size)))
        while not all(map(self.fits, pieces := _pieces(text, count))):
            count += 1 + count // 16
        return pieces

    def encode(self, text: str) -> Encoded:
        """The tokens of one text; cut by the rule where they do not fit."""
        reach = _CHARACTERS_PER_TOKEN * self._limit
        if len(text) > 2 * reach:
            text = text[:reach] + text[-reach:]  # cut anyway; this only saves tokenising it all
        tokens = self._tokens(self._joint + text + self._plain_after)
        truncated = len(tokens) > self._limit
        if truncated:
            tokens = self._cut(text)
        width = min(len(tokens) - 1, len(self.shared))
        differs = np.flatnonzero(tokens[:width] != self.shared[:width])
        common = int(differs[0]) if len(differs) else width
        return Encoded(common, tokens[common:], truncated)

    def all_tokens(self, text: str) -> TokenArray:
        """The whole prompt for one text, shared prefix included."""
        encoded = self.encode(text)
        return np.concatenate([self.shared[: encoded.common], encoded.tokens])

    def _tokens(self, middle: str) -> TokenArray:
        return np.concatenate([self._head, self._model.tokenize(middle), self._tail])

    def _cut(self, text: str) -> TokenArray:
        tokenize = self._model.tokenize
        joint, after, mark = tokenize(self._joint), tokenize(self._plain_after), tokenize(_CUT_MARK)
        body = tokenize(text)
        keep = self._limit - self._fixed_size - len(mark)
        first = keep if self._long == HEAD else (keep + 1) // 2
        last = body[len(body) - (keep - first) :]
        return np.concatenate([self._head, joint, body[:first], mark, last, after, self._tail])

    def _check_limit(self) -> int:
        """Tokens of the prompt without a text; InputError where they leave no room for one."""
        joint, after = self._model.tokenize(self._joint), self._model.tokenize(self._plain_after)
        fixed = sum(len(part) for part in (self._head, joint, after, self._tail))
        if fixed + _LEAST_TEXT > self._limit:
            raise InputError(
                f"the prompt alone has {count(fixed, 'token')}, which leaves no room for a text within the context",
                f"shorten the prompt or the number of shots, or set a context of {fixed + 4 * _LEAST_TEXT} or more",
            )
        return fixed

    def _split_joint(self) -> None:
        """Find a place near the text where the instruction can be tokenised apart from it.

        Otherwise the whole instruction would be tokenised again with every text. A place is
        taken only if it makes no difference to any probe; a SentencePiece vocabulary that
        starts every string with a space has none.
        """
        whole = [self._model.tokenize(self._plain_before + probe + self._plain_after) for probe in _PROBES]
        for place in _seams(self._plain_before):
            head = self._model.tokenize(self._plain_before[:place])
            joint = self._plain_before[place:]
            apart = (self._model.tokenize(joint + probe + self._plain_after) for probe in _PROBES)
            if all(np.array_equal(np.concatenate([head, a]), w) for a, w in zip(apart, whole, strict=True)):
                self._head, self._joint = np.concatenate([self._fixed, head]), joint
                return
        self._head, self._joint = self._fixed, self._plain_before

    def _shared_prefix(self) -> TokenArray:
        """The longest prefix that most texts will have in common: that of all probes but the odd ones."""
        first, *others = (self._tokens(self._joint + probe + self._plain_after) for probe in _PROBES)
        common = len(first)
        for tokens in others:
            width = min(common, len(tokens))
            differs = np.flatnonzero(tokens[:width] != first[:width])
            common = int(differs[0]) if len(differs) else width
        return first[:common]


def _pieces(text: str, count: int) -> list[str]:
    """A text in so many pieces of about the same length; each ends behind white space, where it has some."""
    pieces, begin = [], 0
    for n in range(1, count):
        end = aim = max(begin + 1, n * len(text) // count)
        while end > begin and not text[end - 1].isspace():
            end -= 1
        end = end if end > begin else aim
        pieces.append(text[begin:end])
        begin = end
    return [*pieces, text[begin:]]


def _after_last(text: str, marks: tuple[str, ...]) -> int:
    """Index just after the last mark in a text, 0 if there is none."""
    return max((text.rfind(mark) + len(mark) for mark in marks if mark in text), default=0)


def _before_first(text: str, marks: tuple[str, ...]) -> int:
    """Index of the first mark in a text, its length if there is none."""
    return min((text.find(mark) for mark in marks if mark in text), default=len(text))


def _seams(text: str) -> list[int]:
    """Places where white space or a word after it starts, last first; at most a few are worth trying."""
    places = [i for i in range(1, len(text)) if text[i - 1].isspace() != text[i].isspace()]
    return places[-8:][::-1]
