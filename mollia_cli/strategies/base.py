"""The query strategy contract: pure functions of numpy arrays."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.domain.printable import count

PROBABILITIES = "probabilities"
EMBEDDINGS = "embeddings"
DROPOUT = "dropout"
PERTURBED = "perturbed"
PANEL = "panel"
CONFIDENCE = "confidence"
ANSWERS = "answers"

_AT_ONCE = 1 << 16  # rows of a large signal

RealArray = NDArray[np.floating[Any]]

_DIMENSIONS = {PROBABILITIES: 2, EMBEDDINGS: 2, DROPOUT: 3, PERTURBED: 2, PANEL: 3, CONFIDENCE: 1, ANSWERS: 1}


@dataclass(frozen=True, slots=True)
class Signals:
    """What a strategy may look at; only what it declares in ``needs`` is filled.

    ids: the n candidates. probabilities: [n, K]. embeddings: [n, d] with
    labelled_embeddings [m, d]. dropout: [E, n, K] stochastic passes. perturbed: [n, D]
    concatenated normalised deviations of the outputs under weight noise. panel: [n, N, K]
    label probabilities of the annotators. confidence: [n] of the aggregator's verdict. answers: [n]
    p(yes) of the panel's largest LLM to the strategy's ``question`` (0 to 1).
    Any floating-point type will do; the large ones (embeddings, perturbed) are best left as they are, also where they
    are half precision in a file that is mapped into memory: see ``over``.
    """

    ids: tuple[str, ...]
    probabilities: RealArray | None = None
    embeddings: RealArray | None = None
    labelled_embeddings: RealArray | None = None
    dropout: RealArray | None = None
    perturbed: RealArray | None = None
    panel: RealArray | None = None
    confidence: RealArray | None = None
    answers: RealArray | None = None

    def require(self, name: str) -> RealArray:
        """The signal ``name``; InputError where it is missing, misshapen or not finite."""
        values: RealArray | None = getattr(self, name)
        if values is None:
            raise InputError(
                f"the signal {name!r} was not computed", f"declare it in the strategy's needs: {{{name!r}}}"
            )
        item_axis = 1 if name == DROPOUT else 0
        if values.ndim != _DIMENSIONS[name] or values.shape[item_axis] != len(self.ids):
            raise InputError(
                f"the signal {name!r} has shape {values.shape} for {count(len(self.ids), 'item')}",
                f"it needs {_DIMENSIONS[name]} dimensions, items along axis {item_axis}",
            )
        check_finite(values, name)
        return values

    def by_id(self) -> IntArray:
        """The candidates' positions in the order of their ids."""
        return np.array(sorted(range(len(self.ids)), key=self.ids.__getitem__), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Pick:
    """A selected item and the score it was picked for (larger = more wanted)."""

    id: str
    score: float


class Strategy(ABC):
    """Chooses the items to annotate next. ``needs`` names the signals to compute.

    ``question``: for the signal "answers", what an LLM is asked of each candidate, to be answered by yes or no; a
    prompt template with the placeholders of ``prompt.txt``.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    question: ClassVar[str] = ""

    @abstractmethod
    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The ``n`` items to annotate (all, where fewer are left), best first; ties broken by id."""


def top(ids: Sequence[str], scores: RealArray, n: int) -> list[Pick]:
    """The n highest scores, ties broken by id. ``scores``: [n], in the order of ``ids``."""
    scores = rounded(scores)
    rows = np.arange(len(ids))
    if 0 < n < len(ids):
        rows = np.flatnonzero(scores >= np.partition(scores, len(ids) - n)[len(ids) - n])
    order = sorted(rows.tolist(), key=lambda row: (-scores[row], ids[row]))
    return [Pick(ids[row], float(scores[row])) for row in order[: max(n, 0)]]


def rounded(scores: RealArray) -> FloatArray:
    """Scores to 12 decimals: logarithms and sums differ in their last bits between processors, batches must not."""
    return np.asarray(np.round(scores.astype(np.float64), 12) + 0.0)  # + 0.0 turns -0.0 into 0.0


def over(rows: RealArray, function: Callable[[RealArray], RealArray]) -> FloatArray:
    """[n] of a function of rows, a part of them at a time, in single precision at least."""
    kind = np.result_type(rows, np.float32)
    parts = range(0, len(rows) or 1, _AT_ONCE)
    return np.concatenate([function(rows[at : at + _AT_ONCE].astype(kind, copy=False)) for at in parts])


def check_finite(values: RealArray, name: str) -> None:
    """InputError naming the first row of ``values`` that holds NaN or infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum(dtype=np.float64)):  # NaN and infinity survive a sum, which needs no mask of its size
            return
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise InputError(
            f"the signal {name!r} holds NaN or infinity, first at index {tuple(bad[0].tolist())}",
            "the model that computed it has diverged: train it again with a smaller learning rate",
        )


def entropy_of(probabilities: RealArray) -> FloatArray:
    """Shannon entropy in nats over the last axis, with 0 log 0 = 0. [..., K] probabilities in, [...] out."""
    p = probabilities.astype(np.float64)
    return np.asarray(-np.einsum("...k,...k->...", p, np.log(np.where(p > 0, p, 1.0))))
