"""Observations: what one annotator answered for one item, and a panel's observations as arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Observation:
    """What one annotator answered for one item.

    log_probs: [K], natural log of the probability that the answer is label k, summed over
        the label's surface forms; not normalised, so that ``mass = sum(exp(log_probs))``.
    votes: [K], share of the T generations that were label k (Eq. 3), or their expectation.
    mass: the label mass, total probability on the label set, 0 to 1.
    invalid: the invalid rate, the share of generations that were no label; ``votes.sum() + invalid == 1``.
    slack: upper bound of the probability mass that pruning left out of ``mass``.
    answers: raw text of invalid generations, where it was decoded to the end.
    tokens: tokens decoded for this item alone (text, suffix, trie and vote nodes).
    truncated: the text was cut to fit the context.
    """

    item_id: str
    log_probs: FloatArray
    votes: FloatArray
    mass: float
    invalid: float
    slack: float = 0.0
    answers: tuple[str, ...] = ()
    tokens: int = 0
    truncated: bool = False

    @staticmethod
    def certain(item_id: str, label: int, classes: int) -> "Observation":
        """All of the probability and every vote on one of ``classes`` labels."""
        votes = np.eye(classes)[label]
        with np.errstate(divide="ignore"):
            return Observation(item_id, np.log(votes), votes, mass=1.0, invalid=0.0)


def joined(parts: Sequence[Observation]) -> Observation:
    """One observation of a text that was read in parts, under the first part's id.

    log_probs are the mean of the parts' weighted by their tokens (a weighted geometric mean, the logarithmic pool of
    Genest & Zidek 1986), votes and invalid the mean of the parts' with the same weights, so that they still sum to 1. A
    part that an LLM failed on has no tokens, and makes the whole a failure.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    if broken := [part for part in parts if not part.tokens]:
        return replace(broken[0], item_id=first.item_id)
    tokens = np.array([part.tokens for part in parts], dtype=np.float64)
    weights = tokens / tokens.sum()
    log_probs = weights @ np.stack([part.log_probs for part in parts])
    return Observation(
        item_id=first.item_id,
        log_probs=log_probs,
        votes=weights @ np.stack([part.votes for part in parts]),
        mass=float(min(np.exp(log_probs).sum(), 1.0)),
        invalid=float(weights @ [part.invalid for part in parts]),
        slack=max(part.slack for part in parts),
        answers=tuple(answer for part in parts for answer in part.answers),
        tokens=int(tokens.sum()),
        truncated=any(part.truncated for part in parts),
    )


@dataclass(frozen=True, slots=True)
class Texts:
    """What frozen encoders make of items' texts; nothing is read before an aggregator asks for it.

    read: (an encoder's name, n item ids) -> [n, L, d] float32, from L places in the encoder.
    """

    encoders: tuple[str, ...]
    read: Callable[[str, Sequence[str]], Any]

    def without(self, encoder: str) -> "Texts | None":
        """The other encoders; None where there is no other."""
        left = tuple(name for name in self.encoders if name != encoder)
        return Texts(left, self.read) if left else None


@dataclass(frozen=True, slots=True)
class Panel:
    """Observations of n items by N annotators over K labels, as arrays (rows follow ``ids``).

    samples: T, the number of answers that votes are shares of; of exact votes, as many as they are taken to be worth.
    texts: the panel's encoders, where it has any. An item that no annotator has observed has nan for log_probs; only
    aggregators that look at texts take such.
    """

    ids: tuple[str, ...]
    annotators: tuple[str, ...]
    log_probs: FloatArray  # [n, N, K]
    votes: FloatArray  # [n, N, K]
    invalid: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))  # [n, N]
    samples: int = 10
    texts: Texts | None = None

    def __post_init__(self) -> None:
        n, annotators = len(self.ids), len(self.annotators)
        for name in ("log_probs", "votes"):
            shape = getattr(self, name).shape
            if len(shape) != 3 or shape[:2] != (n, annotators):
                raise ValueError(f"{name} has shape {shape}, expected ({n}, {annotators}, K)")
        if self.invalid.size == 0 and n * annotators:
            object.__setattr__(self, "invalid", np.clip(1.0 - self.votes.sum(axis=2), 0.0, 1.0))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def classes(self) -> int:
        """K, the number of labels."""
        return int(self.log_probs.shape[2])

    @property
    def observed(self) -> BoolArray:
        """[n] whether annotators have observed the item."""
        return np.asarray(~np.isnan(self.log_probs).all(axis=(1, 2)), dtype=np.bool_)

    @property
    def probabilities(self) -> FloatArray:
        """z of the paper, [n, N, K]: probability of each whole label string, not normalised."""
        return np.exp(self.log_probs)

    def take(self, rows: Sequence[int] | IntArray) -> "Panel":
        """The panel restricted to some rows, in the order given."""
        index = np.asarray(rows, dtype=np.int64)
        return Panel(
            tuple(self.ids[i] for i in index),
            self.annotators,
            self.log_probs[index],
            self.votes[index],
            self.invalid[index],
            self.samples,
            self.texts,
        )

    def joined(self, other: "Panel") -> "Panel":
        """The panel's rows, then those of another one of the same annotators."""
        return Panel(
            self.ids + other.ids,
            self.annotators,
            np.concatenate([self.log_probs, other.log_probs]),
            np.concatenate([self.votes, other.votes]),
            np.concatenate([self.invalid, other.invalid]),
            self.samples,
            self.texts,
        )

    @staticmethod
    def stack(ids: Sequence[str], columns: Mapping[str, Mapping[str, Observation]], classes: int) -> "Panel":
        """A panel from ``{annotator: {item id: Observation}}``; every id must be in every column."""
        names = tuple(columns)
        shape = (len(ids), len(names))

        def gather(field_name: str, *tail: int) -> FloatArray:
            values = [getattr(columns[a][i], field_name) for i in ids for a in names]
            return np.array(values, dtype=np.float64).reshape(*shape, *tail)

        return Panel(tuple(ids), names, gather("log_probs", classes), gather("votes", classes), gather("invalid"))
