"""A person as an annotator: one text, one answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from mollia_cli.annotators.base import Annotator, NoOptions, PanelContext
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation

Ask = Callable[[str], str]


class HumanAnnotator(Annotator):
    """Asks for each text's label; ``ask`` shows a question and returns what was answered."""

    certain: ClassVar[bool] = True

    def __init__(self, name: str, labels: LabelSet, ask: Ask) -> None:
        self.name = name
        self._labels = labels
        self._ask = ask

    @classmethod
    def from_spec(cls, name: str, options: NoOptions, context: PanelContext) -> Sequence[Self]:
        """It has no options."""
        return [cls(name, context.labels, context.ask)]

    @property
    def identity(self) -> Mapping[str, Any]:
        """A person and the labels; who it is, is written down with each decision."""
        return {"annotator": "human", "labels": self._labels.digest}

    def annotate(self, items: Sequence[Item]) -> Iterator[list[Observation]]:
        """Yield one item at a time, so that a stop loses no answer."""
        for number, item in enumerate(items, 1):
            label = self._label(item.text, f"{number}/{len(items)}")
            yield [Observation.certain(item.id, label, len(self._labels))]

    def preview(self, item: Item) -> str:
        """The question as it is asked."""
        return self._question(item.text, "")

    def _question(self, text: str, progress: str) -> str:
        choices = "  ".join(f"{k} {name}" for k, name in enumerate(self._labels.names, 1))
        return f"\n{progress}  {text}\n{choices}"

    def _label(self, text: str, progress: str) -> int:
        """The label's index; asked again until the answer is one: its number, its name, or the start of it."""
        question = self._question(text, progress)
        while True:
            answer = self._ask(question).strip()
            found = self._labels.chosen(answer)
            if found is not None:
                return found
            question = f"{answer!r} is no label; type its number or its name"
