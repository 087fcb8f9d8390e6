"""Decisions: people's labels and notes of items."""

from dataclasses import dataclass

LABEL = "label"
IGNORE = "ignore"
NOTE = "note"
RANDOM = "random"
SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that a person did with an item. ``act``: "label", "ignore" (leave it out of everything) or "note".

    verdict and confidence: the aggregator's, of fit number ``fit``, as they were when the person
    decided; None where there was none. seed: the label makes the item a seed item. chosen: how the item
    came before the person: RANDOM, another query strategy's name, SEARCH, or "" where a run asked for it. known:
    the true label that the item came with. adjudicates: it settles what people disagree on, whatever else is decided.
    id, at (UTC, ISO 8601) and known are the store's to fill.
    """

    item_id: str
    act: str
    who: str
    label: int | None = None
    note: str = ""
    seed: bool = False
    chosen: str = ""
    fit: int | None = None
    verdict: int | None = None
    confidence: float | None = None
    known: int | None = None
    adjudicates: bool = False
    at: str = ""
    id: int = 0

    @property
    def contradicts(self) -> bool:
        """The person's label is not the verdict's."""
        return self.label is not None and self.verdict is not None and self.label != self.verdict
