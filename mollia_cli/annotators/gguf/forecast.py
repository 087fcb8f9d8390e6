"""Which answer prefixes the next text will ask for, so that they can be decoded together with it.

Decoding them in the text's own batch costs about half of decoding them later, and frees the
text's cells at once. It does not change what is read: a prefix that nothing asks for is dropped.
"""

from collections.abc import Iterable

from mollia_cli.annotators.gguf.completion import Path

_LIKELY = 0.5  # decode ahead what at least this share of the recent texts asked for
_MEMORY = 64  # texts after which a text counts half
_FIRST = 4  # texts to see before anything is forecast
_MOST = 16


class Forecast:
    """Counts what texts ask for, recent ones more."""

    def __init__(self) -> None:
        self._asked: dict[Path, float] = {}
        self._texts = 0.0
        self._plan: list[Path] | None = None

    def learn(self, asked: Iterable[Path]) -> None:
        """One text's tree asked for these prefixes."""
        fade = 0.5 ** (1.0 / _MEMORY)
        self._texts = self._texts * fade + 1.0
        self._asked = {path: count * fade for path, count in self._asked.items() if count > 0.01}
        for path in asked:
            self._asked[path] = self._asked.get(path, 0.0) + 1.0
        self._plan = None

    def plan(self) -> list[Path]:
        """Prefixes worth decoding ahead, parents first."""
        if self._plan is None:
            likely = [path for path, count in self._asked.items() if count >= _LIKELY * self._texts]
            likely.sort(key=lambda path: (-self._asked[path], path))
            self._plan = sorted(likely[:_MOST], key=lambda path: (len(path), path)) if self._texts >= _FIRST else []
        return self._plan
