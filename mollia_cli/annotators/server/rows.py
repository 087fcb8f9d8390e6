"""The most probable next tokens that a server states, checked, and as the logits that answers are read off."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mollia_cli.annotators.llama.binding.llama import Logits
from mollia_cli.domain.observations import FloatArray, IntArray

TOP = 128  # tokens whose log-probabilities are asked for
_LEAST = -100.0  # log-probability of what a server calls impossible
_ROUNDING = 1e-2  # by which a server's probabilities may sum to more than 1


class MalformedError(ValueError):
    """What is no distribution."""


@dataclass(frozen=True, slots=True)
class Row:
    """What may follow a prefix: ``tokens`` [n] with their log-probabilities [n], and the token that did follow."""

    tokens: IntArray
    log_probs: FloatArray
    followed: int

    @property
    def tail(self) -> float:
        """Probability of all tokens that are not stated."""
        return max(0.0, 1.0 - float(np.exp(self.log_probs).sum()))

    def most_unstated(self, wanted: IntArray) -> float:
        """Probability, at most, of those of ``wanted`` that are not stated: none is as probable as the least stated."""
        missing = len(np.setdiff1d(wanted, self.tokens))
        return min(self.tail, missing * float(np.exp(self.log_probs.min())))

    def logits(self, n_vocab: int) -> Logits:
        """[n_vocab] log-probabilities; the tail is spread evenly over the tokens that are not stated."""
        others = max(1, n_vocab - len(self.tokens))
        row = np.full(n_vocab, np.log(max(self.tail, 1e-12) / others), dtype=np.float32)
        row[self.tokens] = self.log_probs
        return row


def token_ids(stated: Any) -> list[int]:
    """Tokens as they were received; MalformedError for what are none."""
    if not isinstance(stated, list) or not all(type(token) is int and token >= 0 for token in stated):
        raise MalformedError("its tokens are no numbers")
    return stated


def make_row(tokens: list[Any], log_probs: list[Any], followed: Any, n_vocab: int) -> Row:
    """A row as it was received; MalformedError where it cannot be one."""
    ids, values = np.array(tokens), np.array(log_probs, dtype=np.float64)
    if ids.dtype.kind != "i" or type(followed) is not int or ids.shape != values.shape or not len(ids):
        raise MalformedError("its log-probabilities are not by token")
    if ids.min() < 0 or max(int(ids.max()), followed) >= n_vocab or len(np.unique(ids)) < len(ids):
        raise MalformedError("it states tokens twice, or ones that its vocabulary has not")
    if not np.isfinite(values).all() or np.exp(values).sum() > 1.0 + _ROUNDING:
        raise MalformedError("its log-probabilities are none")
    return Row(ids.astype(np.int64), np.clip(values, _LEAST, 0.0), followed)
