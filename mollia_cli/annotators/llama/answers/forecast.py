"""Which answer prefixes a text will ask for next, so that they can be decoded before it does.

After "ab" of "abbreviation" nearly every text asks for "brev" and "iation": decoded in one
batch instead of three, they free the text's cells two batches earlier, and the fewer cells are
in use, the faster attention is. It does not change what is read: a prefix that nothing asks for
is dropped.
"""

from collections.abc import Iterable
from math import inf

from mollia_cli.annotators.llama.answers.completion import Path

_LIKELY = 0.5  # decode with a text what at least this share of the recent texts asked for
_SURE = 0.8  # decode after a node what at least this share of the texts asked for that had asked for the node
_MEMORY = 64  # texts after which a text counts half
_FIRST = 4  # texts to see before anything is forecast
_MOST = 16
_FIRST_NODES = 16  # a text may ask for, as long as nothing is known


class Forecast:
    """Counts what texts ask for, recent ones more."""

    def __init__(self) -> None:
        self._asked: dict[Path, float] = {}
        self._texts = 0.0
        self._nodes = 0.0
        self._plan: list[Path] | None = None
        self._next: dict[Path, Path] | None = None

    def learn(self, asked: Iterable[Path]) -> None:
        """One text's tree asked for these prefixes."""
        fade = 0.5 ** (1.0 / _MEMORY)
        self._texts = self._texts * fade + 1.0
        self._asked = {path: count * fade for path, count in self._asked.items() if count > 0.01}
        self._nodes *= fade
        for path in asked:
            self._asked[path] = self._asked.get(path, 0.0) + 1.0
            self._nodes += 1.0
        self._plan = self._next = None

    @property
    def nodes(self) -> int:
        """Nodes that a text will ask for at most, but for rare ones: twice the mean."""
        return int(2.0 * self._nodes / self._texts) + 2 if self._texts >= _FIRST else _FIRST_NODES

    def plan(self) -> list[Path]:
        """Prefixes worth decoding ahead, parents first."""
        if self._plan is None:
            likely = [path for path, count in self._asked.items() if count >= _LIKELY * self._texts]
            likely.sort(key=lambda path: (-self._asked[path], path))
            self._plan = sorted(likely[:_MOST], key=lambda path: (len(path), path)) if self._texts >= _FIRST else []
        return self._plan

    def chain(self, path: Path) -> list[Path]:
        """Prefixes worth decoding together with ``path``: each the most probable continuation of the one before."""
        if self._next is None:
            self._next = self._sure_steps()
        chain = []
        while (following := self._next.get(path)) is not None:
            chain.append(following)
            path = following
        return chain

    def _sure_steps(self) -> dict[Path, Path]:
        steps: dict[Path, Path] = {}
        for path in sorted(self._asked, key=lambda path: (self._asked[path], path)):
            parent = path[:-1]
            if parent and self._asked[path] >= max(_SURE * self._asked.get(parent, inf), 1.0):
                steps[parent] = path
        return steps
