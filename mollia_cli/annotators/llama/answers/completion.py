"""What a pruned branch is worth: how often an answer that starts like it becomes a label.

A branch that is not decoded has a known mass m and an unknown share of it that ends as a
label. The share depends on the branch far more than on the text ("human" nearly always ends
there, '"' rarely leads anywhere), so it is learnt once when a model is loaded, from a few
fixed texts whose trees are read much deeper. It depends on model, prompt and labels alone,
never on the items, so that an observation does not depend on its company.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mollia_cli.annotators.llama.answers.trie import Step

COMPLETION_RULE = "learnt-from-3-texts/1"
LEARNING_FLOOR = 5e-4
LEARNING_TEXTS = (
    "How do I change the address on my account?",
    "It was a long day, and we were glad when it was over.",
    "The company said on Monday that it would close two of its plants.",
)
_UNKNOWN = 0.5  # the middle of what is possible, for a branch that was never seen

Path = tuple[int, ...]
# a decoded node's path, its mass, and what it alone added to the label scores [K]
Trace = list[tuple[Path, float, NDArray[np.float64]]]


class Completions:
    """Expected share of a branch's mass that becomes each label."""

    def __init__(self, traces: Iterable[Trace] = ()) -> None:
        mass: dict[Path, float] = {}
        became: dict[Path, NDArray[np.float64]] = {}
        for trace in traces:
            for path, node_mass, added in trace:
                mass[path] = mass.get(path, 0.0) + node_mass
                for depth in range(1, len(path) + 1):
                    start = path[:depth]
                    became[start] = became.get(start, 0.0) + added
        self._shares = {path: became[path] / mass[path] for path in mass if path and mass[path] > 0.0}
        self._cache: dict[Path, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def after(self, path: Path, step: Step) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """For each live token after ``path``: expected shares [n, K], and bound of the error per unit of mass [n]."""
        found = self._cache.get(path)
        if found is None:
            expected = _UNKNOWN * step.share
            for row, token in enumerate(step.tokens.tolist()):
                share = self._shares.get((*path, token))
                if share is not None:
                    expected[row] = np.minimum(share, 1.0)
            possible = np.where(step.share > 0.0, expected, np.inf)
            bound = np.maximum(expected.sum(axis=1), 1.0 - possible.min(axis=1, initial=1.0))
            found = self._cache[path] = expected, bound
        return found
