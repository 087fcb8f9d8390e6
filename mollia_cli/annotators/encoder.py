"""A frozen encoder as a panel member: it observes no label by itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mollia_cli.annotators.base import Annotator, PanelContext
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """model: the encoder's catalogue name, or its folder (relative to the project), where it is not the name."""

    model: str = ""


class Encoder(Annotator):
    """Aggregators that look at texts (``reads``) learn from its embeddings; nobody is asked: it makes no annotator."""

    Options = EncoderOptions
    recorded: ClassVar[bool] = True

    @classmethod
    def from_spec(cls, name: str, options: EncoderOptions, context: PanelContext) -> Sequence[Annotator]:
        """Nobody to ask; see project/encoders.py."""
        return []

    @property
    def identity(self) -> Mapping[str, Any]:
        """Never asked for."""
        raise NotImplementedError

    def annotate(self, items: Sequence[Item]) -> Iterator[list[Observation]]:
        """Never asked for."""
        raise NotImplementedError
