"""The query strategy contract: pure functions of numpy arrays."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mollia_cli.domain.observations import FloatArray

PROBABILITIES = "probabilities"
EMBEDDINGS = "embeddings"
DROPOUT = "dropout"
PERTURBED = "perturbed"
PANEL = "panel"
CONFIDENCE = "confidence"


@dataclass(frozen=True, slots=True)
class Signals:
    """What a strategy may look at; only what it declares in ``needs`` is filled.

    ids: the n candidates. probabilities: [n, K]. embeddings: [n, d] with
    labelled_embeddings [m, d]. dropout: [E, n, K] stochastic passes. perturbed: [n, D]
    concatenated normalised deviations of the outputs under weight noise. panel: [n, N, K]
    label probabilities of the annotators. confidence: [n] of the aggregator's verdict.
    """

    ids: tuple[str, ...]
    probabilities: FloatArray | None = None
    embeddings: FloatArray | None = None
    labelled_embeddings: FloatArray | None = None
    dropout: FloatArray | None = None
    perturbed: FloatArray | None = None
    panel: FloatArray | None = None
    confidence: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """A selected item and the score it was picked for (larger = more wanted)."""

    id: str
    score: float


class Strategy(ABC):
    """Chooses the items to annotate next. ``needs`` names the signals to compute."""

    name: ClassVar[str]
    source: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The ``n`` items to annotate (all, where fewer are left), best first; ties broken by id."""


def top(ids: Sequence[str], scores: FloatArray, n: int) -> list[Pick]:
    """The n highest scores, ties broken by id."""
    order = sorted(range(len(ids)), key=lambda row: (-scores[row], ids[row]))
    return [Pick(ids[row], float(scores[row])) for row in order[:n]]
