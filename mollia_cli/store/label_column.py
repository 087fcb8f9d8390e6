"""How items' known labels stand in the database: a name, or a JSON array of names where a text may have several."""

import json
from dataclasses import dataclass

from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.questions import NO, YES, Question


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """Reading and writing ``items.label``.

    several: an item's labels are a JSON array of names. asked: of such a project, the label that the items are seen
    by: their ``label`` is then YES or NO.
    """

    labels: LabelSet
    several: bool = False
    asked: Question | None = None

    def read(self, stored: str | None) -> tuple[int | None, tuple[int, ...] | None]:
        """``label`` and ``labels`` of an item."""
        if stored is None:
            return None, None
        if not self.several:
            return self.labels.index(stored), None
        labels = tuple(sorted(map(self.labels.index, json.loads(stored))))
        return None if self.asked is None else YES if self.asked.place in labels else NO, labels

    def written(self, item: Item) -> str | None:
        """What an item's labels are stored as."""
        names = item.gold_names(self.labels.names)
        return json.dumps(names, ensure_ascii=False) if isinstance(names, list) else names
