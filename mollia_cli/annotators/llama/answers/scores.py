"""Exact label scores of one text, read off the logits of few answer prefixes.

The score of a label is the probability that the whole answer is it, summed over the label's
surface forms. A prefix's logits give the probability of everything that may follow. What
may follow is decoded if its probability, times the share of it that usually becomes a label
(``completion``; a quarter at least), reaches the floor. Otherwise its true contribution lies
between nothing and its mass: the usual share is counted, and the largest possible error
goes to ``slack``.
"""

import numpy as np

from mollia_cli.annotators.llama.answers.completion import Completions, Path, Trace
from mollia_cli.annotators.llama.answers.sampling import Softmax
from mollia_cli.annotators.llama.answers.trie import Step
from mollia_cli.annotators.llama.binding.llama import Logits
from mollia_cli.domain.observations import FloatArray, IntArray

_LEAST_SHARE = 0.25  # bounds what a branch that rarely becomes a label may hold undecoded


class Scores:
    """Adds up what becomes of the probability mass 1 that an answer starts with.

    ``total`` [K]: the label scores so far. ``trace``: what each prefix added, for learning completions.
    """

    def __init__(
        self, classes: int, softmax: Softmax, end_tokens: IntArray, completions: Completions, floor: float
    ) -> None:
        self._softmax = softmax
        self._end_tokens = end_tokens
        self._completions = completions
        self._floor = floor
        self.total = np.zeros(classes)
        self.slack = 0.0
        self.trace: Trace = []

    def read(self, path: Path, mass: float, step: Step, row: Logits, most: int) -> dict[int, float]:
        """Take in a prefix of this mass; returns the live tokens to decode, by index, with their masses."""
        if mass == 0.0:
            return {}
        before = self.total.copy()
        peak, log_sum = self._softmax.log_partition(row)

        def masses_of(tokens: IntArray) -> FloatArray:
            return mass * np.exp(row[tokens].astype(np.float64) - (peak + log_sum))

        np.add.at(self.total, step.done_labels, masses_of(step.done_tokens))
        if step.ends >= 0:
            self.total[step.ends] += float(masses_of(self._end_tokens).sum())
        masses = masses_of(step.tokens)
        expected, bound = self._completions.after(path, step)
        worth = masses * np.maximum(expected.sum(axis=1), _LEAST_SHARE)
        kept = np.flatnonzero(worth >= self._floor)
        kept = kept[np.argsort(-worth[kept], kind="stable")][:most]
        pruned = masses.copy()
        pruned[kept] = 0.0
        self.total += pruned @ expected
        self.slack += float(pruned @ bound)
        self.trace.append((path, mass, self.total - before))
        return {int(i): float(masses[i]) for i in kept}

    def abandon(self, mass: float) -> None:
        """A prefix that was to be decoded never will be: all its mass is open."""
        self.slack += mass
