"""The learner contract: weighted, negative-labelled examples in, a classifier out."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray
from mollia_cli.domain.progress import Progress

PROBABILITIES = "probabilities"
EMBEDDINGS = "embeddings"
DROPOUT = "dropout"
PERTURBED = "perturbed"
SIGNALS = frozenset({PROBABILITIES, EMBEDDINGS, DROPOUT, PERTURBED})
HEAD_WEIGHTS = "head.safetensors"  # what was trained, of a learner whose encoder stays as it is

_IN_MEMORY = 1 << 28  # bytes of a signal: a larger one is in a file

SignalArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Examples:
    """n training examples.

    texts: the inputs. targets: [n] label indices (y+). weights: [n], W_d of Eq. 8 (1 for
    gold). negatives: [n, K] booleans, y- of Eq. 5 (all False for gold). known: [n] booleans, whose
    target is a gold label (None: nobody's). soft: [n, K] rows that sum to 1 and stand for the
    targets in the cross entropy (None: the targets themselves).
    """

    texts: tuple[str, ...]
    targets: IntArray
    weights: FloatArray
    negatives: BoolArray
    known: BoolArray | None = None
    soft: FloatArray | None = None

    @staticmethod
    def gold(texts: Sequence[str], targets: IntArray, classes: int) -> "Examples":
        """Examples that are trusted: weight 1, no negative labels."""
        n, labels = len(texts), np.asarray(targets, dtype=np.int64)
        return Examples(tuple(texts), labels, np.ones(n), np.zeros((n, classes), dtype=bool), np.ones(n, dtype=bool))

    @property
    def gold_rows(self) -> BoolArray:
        """[n] whose target is a gold label."""
        return np.zeros(len(self.texts), dtype=bool) if self.known is None else self.known

    @property
    def distributions(self) -> FloatArray:
        """[n, K] what the cross entropy is taken to."""
        return np.eye(self.negatives.shape[1])[self.targets] if self.soft is None else self.soft


def join(a: Examples, b: Examples) -> Examples:
    """The examples of both."""
    known = None if a.known is None and b.known is None else np.concatenate([a.gold_rows, b.gold_rows])
    soft = None if a.soft is None and b.soft is None else np.concatenate([a.distributions, b.distributions])
    return Examples(
        a.texts + b.texts,
        np.concatenate([a.targets, b.targets]),
        np.concatenate([a.weights, b.weights]),
        np.concatenate([a.negatives, b.negatives]),
        known,
        soft,
    )


def take(examples: Examples, rows: Sequence[int] | IntArray) -> Examples:
    """Some rows of the examples."""
    index = np.asarray(rows, dtype=np.int64)
    return Examples(
        tuple(examples.texts[row] for row in index),
        examples.targets[index],
        examples.weights[index],
        examples.negatives[index],
        None if examples.known is None else examples.known[index],
        None if examples.soft is None else examples.soft[index],
    )


def in_parts(parts: Iterable[dict[str, SignalArray]], texts: int, folder: Path | None) -> dict[str, SignalArray]:
    """The signals of so many texts from those of some of them after the others.

    folder: where a large signal is, in a file without a name that is mapped into memory; None has it in memory.
    """
    found: dict[str, SignalArray] = {}
    done = 0
    for part in parts:
        for name, rows in part.items():
            axis = 1 if name == DROPOUT else 0
            if name not in found:
                found[name] = _room((*rows.shape[:axis], texts, *rows.shape[axis + 1 :]), rows.dtype, folder)
            size = rows.shape[axis]
            found[name][(slice(None),) * axis + (slice(done, done + size),)] = rows
        done += size
    return found


def _room(shape: tuple[int, ...], kind: np.dtype[Any], folder: Path | None) -> SignalArray:
    if folder is None or prod(shape) * kind.itemsize <= _IN_MEMORY:
        return np.empty(shape, kind)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.asarray(np.memmap(file, kind, "w+", shape=shape))


@dataclass(frozen=True, slots=True)
class FitReport:
    """How a fit went: epochs run, the epoch whose weights were kept (1-based), and per-epoch history."""

    epochs: int
    best_epoch: int
    stopped_early: bool
    seconds: float
    history: list[dict[str, float]] = field(default_factory=list)


class Learner(ABC):
    """A text classifier that is trained from its pretrained weights at every ``fit`` (cold start).

    ``frozen``: the encoder's weights stay as they are. A text is then read once for all rounds, and a fit holds
    nothing out for early stopping.
    """

    name: ClassVar[str]
    frozen: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, encoder: Path, labels: LabelSet, **settings: Any) -> None:
        """An untrained one, from the folder of the pretrained weights; it takes the settings that mean something to it.

        settings: those of [learner], where ``token_file`` and ``embeddings`` (what it makes of texts) are kept, and of
        which texts (``keeps``).
        """

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

    def unread(self, texts: Sequence[str]) -> Sequence[str]:
        """Those that the encoder would have to read for ``signals``, the longest first; the others are cached."""
        return sorted(texts, key=len, reverse=True)

    def longer(self, texts: Sequence[str]) -> int:
        """How many of the texts have more tokens than it reads; 0 for one that has no tokens."""
        return 0

    def predict_proba(self, texts: Sequence[str], progress: Progress | None = None) -> FloatArray:
        """[n, K] label probabilities."""
        found = self.signals(texts, frozenset({PROBABILITIES}), 0, progress)[PROBABILITIES]
        return np.asarray(found, dtype=np.float64)

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write a folder that ``transformers`` loads: the classifier, or its encoder beside a head; no pickle."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, **settings: Any) -> Self:
        """A trained learner from a saved folder."""

    @classmethod
    def rename(cls, folder: Path, labels: LabelSet) -> None:
        """Have a saved folder call its labels otherwise, in the same order; RefusedError where that cannot be."""
        raise RefusedError(
            f"the learner {cls.name!r} cannot call the labels of {folder} otherwise",
            "delete its runs first: mollia runs delete NAME",
        )
