"""The stopping criterion contract: a run's history in, a reason to stop or none out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import FloatArray


@dataclass(frozen=True, slots=True)
class History:
    """What a criterion may look at: R finished rounds of a run, in their order. No test label is among it.

    ``opinions``: [R, m, K] label probabilities that each round's classifier gives the stop set, m fixed
    items of the pool without labels; empty for a criterion that does not need them. scores: [R] micro-F1
    on the gold validation items, empty where the project has none. tokens: decoded by the panel for the
    run's items; minutes: of all its rounds.
    """

    opinions: FloatArray = field(default_factory=lambda: np.zeros((0, 0, 0)))
    scores: FloatArray = field(default_factory=lambda: np.zeros(0))
    tokens: int = 0
    minutes: float = 0.0


class Criterion(ABC):
    """Decides when a run ends. Subclasses are dataclasses: their fields are their settings, with defaults.

    ``looks`` is True where it needs the classifiers' predictions on the stop set.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    looks: ClassVar[bool] = True

    def reason(self, history: History) -> str:
        """Why to stop, with the figures; "" to go on. Raises InputError for predictions that are no probabilities."""
        opinions = history.opinions
        if opinions.ndim != 3 or not np.isfinite(opinions).all() or (opinions < 0).any():
            raise InputError(
                f"predictions of shape {opinions.shape} are no probabilities [rounds, items, labels]",
                "the classifier has diverged: train it again with a smaller learning rate",
            )
        return self._reason(history)

    @abstractmethod
    def _reason(self, history: History) -> str:
        """``reason`` after its checks."""
