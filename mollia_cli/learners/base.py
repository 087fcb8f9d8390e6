"""The learner contract: weighted, negative-labelled examples in, a classifier out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray
from mollia_cli.domain.progress import Progress

PROBABILITIES = "probabilities"
EMBEDDINGS = "embeddings"
DROPOUT = "dropout"
PERTURBED = "perturbed"

SignalArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Examples:
    """n training examples.

    texts: the inputs. targets: [n] label indices (y+). weights: [n], W_d of Eq. 8 (1 for
    gold). negatives: [n, K] booleans, y- of Eq. 5 (all False for gold).
    """

    texts: tuple[str, ...]
    targets: IntArray
    weights: FloatArray
    negatives: BoolArray

    @staticmethod
    def gold(texts: Sequence[str], targets: IntArray, classes: int) -> "Examples":
        """Examples that are trusted: weight 1, no negative labels."""
        n = len(texts)
        return Examples(
            tuple(texts), np.asarray(targets, dtype=np.int64), np.ones(n), np.zeros((n, classes), dtype=bool)
        )


@dataclass(frozen=True, slots=True)
class FitReport:
    """How a fit went: epochs run, the epoch whose weights were kept (1-based), and per-epoch history."""

    epochs: int
    best_epoch: int
    stopped_early: bool
    seconds: float
    history: list[dict[str, float]] = field(default_factory=list)


class Learner(ABC):
    """A text classifier that is trained from its pretrained weights at every ``fit`` (cold start)."""

    name: ClassVar[str]

    @abstractmethod
    def fit(
        self,
        examples: Examples,
        validation: Examples,
        negative_weight: float,
        random_seed: int,
        progress: Progress | None = None,
    ) -> FitReport:
        """Train with L = W_d * CE + lambda * L_neg (Eq. 9), lambda = ``negative_weight``.

        The weights of the best epoch on ``validation`` are kept; with an empty validation set
        the last epoch's are.
        """

    @abstractmethod
    def signals(
        self, texts: Sequence[str], needs: frozenset[str], random_seed: int, progress: Progress | None = None
    ) -> dict[str, SignalArray]:
        """The signals named in ``needs`` (and only those) for each text, in as few passes as possible.

        "probabilities" [n, K]; "embeddings" [n, d]; "dropout" [E, n, K]; "perturbed" [n, D].
        """

    def predict_proba(self, texts: Sequence[str], progress: Progress | None = None) -> FloatArray:
        """[n, K] label probabilities."""
        found = self.signals(texts, frozenset({PROBABILITIES}), 0, progress)[PROBABILITIES]
        return np.asarray(found, dtype=np.float64)

    @abstractmethod
    def describe(self, texts: Sequence[str], progress: Progress | None = None) -> list[FloatArray]:
        """Features of the texts from the pretrained weights alone, which no label has touched: arrays [n, d]."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write a model folder that ``transformers`` loads unchanged (safetensors, no pickle)."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, **settings: Any) -> Self:
        """A trained learner from a saved folder."""
