"""Votes of one text: T generations as one sample tree, or their limit for T -> infinity.

All generations continue from the same prompt state, so each distinct prefix that they pass
is decoded once. One that can no longer become a label is invalid at once and is followed
no further, unless its answer is to be shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mollia_cli.annotators.llama.answers.completion import Completions, Path
from mollia_cli.annotators.llama.answers.sampling import Softmax, nucleus
from mollia_cli.annotators.llama.answers.trie import Step
from mollia_cli.annotators.llama.binding.llama import Logits
from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.domain.prompting import Decoding

SHOWN_TOKENS = 40  # an invalid answer that is shown is followed for this many tokens


def nobody() -> IntArray:
    """No generations."""
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Ballot:
    """What votes know of a prefix: the ``draws`` (generations that passed it), or the limit's ``mass``."""

    draws: IntArray = field(default_factory=nobody)
    mass: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether no vote asks for the prefix."""
        return not len(self.draws) and self.mass == 0.0


class Votes(Protocol):
    """Counts votes prefix by prefix."""

    answers: list[str]

    def everything(self) -> Ballot:
        """The ballot of the empty prefix."""
        ...

    def read(
        self, path: Path, ballot: Ballot, step: Step | None, row: Logits
    ) -> tuple[dict[int, Ballot], dict[int, Ballot]]:
        """Take in a prefix; returns ballots by index of live token, and by token where no label is possible.

        ``step`` is None for a prefix that can no longer become a label.
        """
        ...

    def shares(self) -> FloatArray:
        """The votes [K], as shares of all generations."""
        ...


class SampledVotes:
    """T generations; generation t takes ``uniforms[depth, t]`` at each depth, whatever is decoded when."""

    def __init__(
        self,
        classes: int,
        softmax: Softmax,
        end_tokens: IntArray,
        decoding: Decoding,
        uniforms: FloatArray,
        pieces: Sequence[bytes],
        show: int,
    ) -> None:
        self._softmax = softmax
        self._ends = frozenset(end_tokens.tolist())
        self._decoding = decoding
        self._uniforms = uniforms
        self._pieces = pieces
        self._left_to_show = show
        self._counts = np.zeros(classes)
        self.answers: list[str] = []

    def everything(self) -> Ballot:
        """All generations."""
        return Ballot(np.arange(self._uniforms.shape[1]))

    def read(
        self, path: Path, ballot: Ballot, step: Step | None, row: Logits
    ) -> tuple[dict[int, Ballot], dict[int, Ballot]]:
        """Let each generation that passed here draw its next token."""
        live: dict[int, Ballot] = {}
        outside: dict[int, Ballot] = {}
        if not len(ballot.draws):
            return live, outside
        region = nucleus(row, self._softmax, self._decoding)
        tokens = region.draw(self._uniforms[len(path), ballot.draws])
        for token in np.unique(tokens).tolist():
            draws = ballot.draws[tokens == token]
            outcome = step.outcome(token, ends=token in self._ends) if step is not None else None
            if outcome is None:
                draws = self._to_show(draws, new=step is not None)
                if len(draws) and not self._shown((*path, token), len(draws)):
                    outside[token] = Ballot(draws)
            elif outcome < 0:
                self._counts[-1 - outcome] += len(draws)
            else:
                live[outcome] = Ballot(draws)
        return live, outside

    def shares(self) -> FloatArray:
        """Counts over T."""
        return np.asarray(self._counts / self._uniforms.shape[1])

    def _to_show(self, draws: IntArray, *, new: bool) -> IntArray:
        """The first few invalid generations are followed; those that are followed stay so."""
        if new:
            draws = draws[: self._left_to_show]
            self._left_to_show -= len(draws)
        return draws

    def _shown(self, path: Path, count: int) -> bool:
        """Keep an answer that has ended; False if it goes on."""
        ended = path[-1] in self._ends or b"\n" in self._pieces[path[-1]].lstrip()
        if ended or len(path) >= len(self._uniforms):
            text = b"".join(self._pieces[token] for token in path).decode("utf-8", "replace").strip()
            self.answers.extend([text] * count)
            return True
        return False


class ExactVotes:
    """The T -> infinity value: the product of renormalised truncated probabilities along each path."""

    def __init__(
        self,
        classes: int,
        softmax: Softmax,
        end_tokens: IntArray,
        decoding: Decoding,
        completions: Completions,
        floor: float,
    ) -> None:
        self._softmax = softmax
        self._ends = frozenset(end_tokens.tolist())
        self._decoding = decoding
        self._completions = completions
        self._floor = floor
        self._total = np.zeros(classes)
        self.answers: list[str] = []

    def everything(self) -> Ballot:
        """All of the mass."""
        return Ballot(mass=1.0)

    def read(
        self, path: Path, ballot: Ballot, step: Step | None, row: Logits
    ) -> tuple[dict[int, Ballot], dict[int, Ballot]]:
        """Spread the mass that came here; what falls under the floor counts as such branches usually do."""
        if step is None or ballot.mass == 0.0:
            return {}, {}
        live: dict[int, Ballot] = {}
        region = nucleus(row, self._softmax, self._decoding)
        expected, _ = self._completions.after(path, step)
        for token, probability in zip(region.tokens.tolist(), region.probabilities.tolist(), strict=True):
            mass = ballot.mass * probability
            outcome = step.outcome(token, ends=token in self._ends)
            if outcome is None:
                continue
            if outcome < 0:
                self._total[-1 - outcome] += mass
            elif mass >= self._floor:
                live[outcome] = Ballot(mass=mass)
            else:
                self._total += mass * expected[outcome]
        return live, {}

    def shares(self) -> FloatArray:
        """The mass that became each label."""
        return self._total


class NoVotes:
    """Asks for nothing: for reading scores alone."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self.answers: list[str] = []

    def everything(self) -> Ballot:
        """Nothing."""
        return Ballot()

    def read(
        self, path: Path, ballot: Ballot, step: Step | None, row: Logits
    ) -> tuple[dict[int, Ballot], dict[int, Ballot]]:
        """Nothing is asked for."""
        return {}, {}

    def shares(self) -> FloatArray:
        """Zeros."""
        return np.zeros(self._classes)
