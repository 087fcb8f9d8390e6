"""What an estimate is made of: amounts with a range, parts, and what is left of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

from mollia_cli.domain.items import Item
from mollia_cli.domain.settings import RunConfig

SPEED = 0.3  # how far a machine's speed may be from what a few seconds show of it


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity that is not known exactly: what is expected, and what it should lie between."""

    low: float
    expected: float
    high: float

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, factor: float, spread: float = 0.0) -> "Amount":
        """The amount ``factor`` times, where the factor itself may be off by the share ``spread``."""
        return Amount(self.low * factor * (1 - spread), self.expected * factor, self.high * factor * (1 + spread))


NOTHING = Amount(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a run costs: an LLM, the aggregator, training, the classifier's reading.

    tokens: those that count for a budget, which are what LLMs read and answer as annotators.
    """

    name: str
    tokens: Amount
    seconds: Amount


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left to do. Items that later rounds select are not chosen yet: only their number is known."""

    run: str
    setup: RunConfig
    done: int
    rounds: int
    future: int
    selected: int


def spread_by_length(items: Sequence[Item], n: int) -> list[Item]:
    """At most n items, evenly spread over the order of their lengths, so that their mean is near that of all."""
    ordered = sorted(items, key=lambda item: (len(item.text), item.id))
    rows = {int((place + 0.5) / n * len(ordered)) for place in range(n)} if ordered else set()
    return [ordered[row] for row in sorted(rows)]
