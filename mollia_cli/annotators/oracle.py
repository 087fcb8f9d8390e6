"""True labels as an annotator: the items' own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from mollia_cli.annotators.base import Annotator, NoOptions, PanelContext
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.printable import count


class OracleAnnotator(Annotator):
    """Gives each item the true label that it was imported with; one without raises InputError."""

    certain: ClassVar[bool] = True
    recorded: ClassVar[bool] = True

    def __init__(self, name: str, labels: LabelSet) -> None:
        self.name = name
        self._labels = labels

    @classmethod
    def from_spec(cls, name: str, options: NoOptions, context: PanelContext) -> Sequence[Self]:
        """It has no options."""
        return [cls(name, context.labels)]

    @property
    def identity(self) -> Mapping[str, Any]:
        """The labels; what an item's is, stands with the item."""
        return {"annotator": "oracle", "labels": self._labels.digest}

    def annotate(self, items: Sequence[Item]) -> Iterator[list[Observation]]:
        """All items in one batch."""
        missing = [item.id for item in items if item.label is None]
        if missing:
            raise InputError(
                f"no true label of {count(len(missing), 'item')} is known (first {missing[0]}): the oracle needs it",
                "import the pool with its labels, or use the panel: --annotator panel",
            )
        yield [Observation.certain(i.id, i.label, len(self._labels)) for i in items if i.label is not None]
