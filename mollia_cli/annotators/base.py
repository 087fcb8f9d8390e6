"""The annotator contract: items in, batches of observations out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation


class Annotator(Protocol):
    """One member of a panel.

    ``identity`` holds everything that an observation depends on (model digest, engine build,
    prompt, labels, decoding, seed): its digest is the observation's key, so it must be known
    before anything expensive is loaded.
    """

    name: str

    @property
    def size(self) -> int:
        """Bytes of the file that it loads; 0 for one that loads none."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]: ...

    def annotate(self, items: Sequence[Item]) -> Iterator[list[Observation]]:
        """Yield observations batch by batch, each item exactly once, in any order.

        An item that the model fails on is yielded as an observation without votes
        (``invalid == 1``), never left out.
        """
        ...

    def preview(self, text: str) -> str:
        """Exactly what the model will see for a text, special tokens included."""
        ...

    def close(self) -> None:
        """Free what was loaded. Annotating again after it loads again."""
        ...
