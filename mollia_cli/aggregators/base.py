"""The aggregator contract: a panel's observations and a few seed labels in, label probabilities out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from mollia_cli.domain.observations import FloatArray, IntArray, Panel


class Aggregator(ABC):
    """Turns what N annotators said into one distribution over K labels for each item.

    Subclasses are constructed with settings only (keyword arguments with defaults).
    ``fit`` returns self; an aggregator that learns nothing has a ``fit`` that only remembers
    the panel. ``to_json``/``from_json`` carry a fitted aggregator as plain JSON.
    """

    name: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int = 0) -> Self:
        """Learn from the seed set.

        seed: n observations; labels: [n] indices of their gold labels; pool: m unlabelled
        observations (m may be 0) for semi-supervised fitting; random_seed: the only source of
        randomness. n may be 0 for aggregators that do not learn.
        """

    @abstractmethod
    def predict_proba(self, panel: Panel) -> FloatArray:
        """[n, K] label probabilities; rows sum to 1. Raises RefusedError for another panel."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The fitted state, with the names of the annotators that it was fitted on."""

    @classmethod
    @abstractmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """A fitted aggregator from ``to_json``'s output."""
