"""Which tokens can still become a label: an automaton over bytes, crossed with the vocabulary.

An answer is read as::

    lead label trail end
    lead   up to 4 characters of white space, quotes or '*'
    label  a label's name in any mixture of case
    trail  up to 4 characters of spaces, quotes, '*' or '.'
    end    a newline, or a token that ends the generation

which are the answers that ``domain.labels.normalise_answer`` maps to a label, within those
bounds. The token trie over all surface forms of all labels is this automaton unrolled
along the vocabulary: every tokenisation of every form is in it, and a state's live tokens
are worked out once, at its first visit.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mollia_cli.domain.labels import normalise_answer

TRIE_RULE = "lead4-label-trail4-end/1"
_LEAD = " \t\r\n\"'`\u2018\u2019\u201c\u201d*"
_TRAIL = " \t\r\"'`\u2018\u2019\u201c\u201d*."
_MAX_JUNK = 4
_END = -1

# (label or -1 within the lead, folded characters of it consumed, junk characters so far or _END)
_Place = tuple[int, int, int]
# a place, once these bytes of a multi-byte character have come
_Pending = tuple[_Place, bytes]
_StateSet = frozenset[_Pending]


@dataclass(frozen=True, slots=True)
class Step:
    """What may follow in one state.

    tokens [n]: live tokens; next [n]: the states that they lead to; share [n, K]: 1/m for
    each of the m labels that a live token can still become. done_tokens [d]: tokens that
    complete an answer by a newline; done_labels [d]: its label. ends: the label that is
    complete here if the generation ends, or -1. where: the ``outcome`` of all these tokens.
    """

    tokens: NDArray[np.int64]
    next: NDArray[np.int64]
    share: NDArray[np.float64]
    done_tokens: NDArray[np.int64]
    done_labels: NDArray[np.int64]
    ends: int
    where: dict[int, int]

    def outcome(self, token: int, *, ends: bool) -> int | None:
        """What a token does here: the index of a live one, -1 - label if it completes one, None if no label is left.

        ``ends``: the token ends the generation.
        """
        if ends and self.ends >= 0:
            return -1 - self.ends
        return self.where.get(token)


class LabelTrie:
    """The label trie of one vocabulary: ``step(state)`` from ``LabelTrie.ROOT`` on."""

    ROOT = 0

    def __init__(self, names: Sequence[str], pieces: Sequence[bytes]) -> None:
        self._keys = [normalise_answer(name) for name in names]
        order = sorted(t for t in range(len(pieces)) if pieces[t])
        self._order = sorted(order, key=lambda t: pieces[t])
        self._pieces = [pieces[t] for t in self._order]
        self._arcs: dict[_Place, list[_Pending]] = {}
        root: _StateSet = frozenset([((-1, 0, 0), b"")])
        self._states = [root]
        self._ids = {root: self.ROOT}
        self._steps: dict[int, Step] = {}

    @property
    def classes(self) -> int:
        """K, the number of labels."""
        return len(self._keys)

    @property
    def max_depth(self) -> int:
        """More tokens than this no answer has."""
        longest = max(len(key.encode()) for key in self._keys)
        return longest + 2 * _MAX_JUNK * 3 + 1

    def step(self, state: int) -> Step:
        """The tokens that may follow in a state."""
        found = self._steps.get(state)
        if found is None:
            found = self._steps[state] = self._make_step(state)
        return found

    def _make_step(self, state: int) -> Step:
        live: list[tuple[int, int]] = []
        done: list[tuple[int, int]] = []
        for token, reached in self._walk(self._states[state]):
            label = _finished(reached)
            if label >= 0:
                done.append((token, label))
            else:
                live.append((token, self._id(reached)))
        live.sort()
        done.sort()
        share = np.zeros((len(live), self.classes))
        for row, (_, reached_id) in enumerate(live):
            labels = self.labels(reached_id)
            share[row, labels] = 1.0 / len(labels)
        return Step(
            tokens=np.array([t for t, _ in live], dtype=np.int64),
            next=np.array([s for _, s in live], dtype=np.int64),
            share=share,
            done_tokens=np.array([t for t, _ in done], dtype=np.int64),
            done_labels=np.array([k for _, k in done], dtype=np.int64),
            ends=self._complete(self._states[state]),
            where={t: i for i, (t, _) in enumerate(live)} | {t: -1 - k for t, k in done},
        )

    def _walk(self, start: _StateSet) -> Iterator[tuple[int, _StateSet]]:
        """All tokens that stay alive from a state, with what they reach."""
        stack = [(b"", start, 0, len(self._pieces))]
        while stack:
            prefix, reached, low, high = stack.pop()
            while prefix and low < high and self._pieces[low] == prefix:
                yield self._order[low], reached
                low += 1
            if low >= high:
                continue
            for byte in sorted({pending[1][0] for pending in self._expand(reached)}):
                longer = prefix + bytes([byte])
                left = bisect_left(self._pieces, longer, low, high)
                right = bisect_left(self._pieces, prefix + bytes([byte + 1]), left, high) if byte < 255 else high
                if left == right:
                    continue
                following = self._advance(reached, byte)
                if _finished(following) >= 0:  # whatever stands after the newline is no part of the answer
                    yield from ((token, following) for token in self._order[left:right])
                else:
                    stack.append((longer, following, left, right))

    def _advance(self, states: _StateSet, byte: int) -> _StateSet:
        return frozenset((place, rest[1:]) for place, rest in self._expand(states) if rest[0] == byte)

    def _expand(self, states: _StateSet) -> list[_Pending]:
        """Every way to go on, as places with at least one byte still to come."""
        ways: list[_Pending] = []
        for place, rest in states:
            if rest:
                ways.append((place, rest))
            else:
                ways.extend(self._characters(place))
        return ways

    def _characters(self, place: _Place) -> list[_Pending]:
        found = self._arcs.get(place)
        if found is None:
            found = self._arcs[place] = [(target, char.encode()) for char, target in self._follow(place)]
        return found

    def _follow(self, place: _Place) -> Iterator[tuple[str, _Place]]:
        """The characters that may follow at a place."""
        label, consumed, junk = place
        if junk == _END:
            return
        if label < 0:
            if junk < _MAX_JUNK:
                yield from ((char, (-1, 0, junk + 1)) for char in _LEAD)
            for k, key in enumerate(self._keys):
                yield from ((char, (k, width, 0)) for char, width in _case_variants(key, 0))
        elif consumed < len(self._keys[label]):
            key = self._keys[label]
            yield from ((char, (label, consumed + width, 0)) for char, width in _case_variants(key, consumed))
        else:
            yield "\n", (label, consumed, _END)
            if junk < _MAX_JUNK:
                yield from ((char, (label, consumed, junk + 1)) for char in _TRAIL)

    def _complete(self, states: _StateSet) -> int:
        """The label that is whole in a state, or -1."""
        for (label, consumed, _), rest in states:
            if label >= 0 and not rest and consumed == len(self._keys[label]):
                return label
        return -1

    def labels(self, state: int) -> list[int]:
        """The labels that an answer in this state can still become."""
        found = {label for (label, _, _), _ in self._states[state]}
        return list(range(self.classes)) if -1 in found else sorted(found)

    def _id(self, states: _StateSet) -> int:
        if states not in self._ids:
            self._ids[states] = len(self._states)
            self._states.append(states)
        return self._ids[states]


def _finished(states: _StateSet) -> int:
    """The label of an answer that a newline has ended, or -1."""
    for (label, _, junk), rest in states:
        if junk == _END and not rest:
            return label
    return -1


def _case_variants(key: str, start: int) -> Iterator[tuple[str, int]]:
    """Characters that fold to what stands in a key at ``start``, with the folded characters they cover."""
    here = key[start]
    candidates = {here, here.upper(), here.title()} | ({"\u00df", "\u1e9e"} if key.startswith("ss", start) else set())
    for char in sorted(candidates):
        folded = char.casefold()
        if len(char) == 1 and key.startswith(folded, start):
            yield char, len(folded)
