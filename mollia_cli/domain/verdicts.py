"""Verdicts: the aggregator's results for items."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of ``Verdicts``, to be shown: negatives are label indices, probabilities [K]."""

    item_id: str
    label: int
    confidence: float
    probabilities: FloatArray
    negatives: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """Verdicts on n items over K labels; rows follow ``ids``.

    labels: y+ as indices (Eq. 6); probabilities: calibrated; negatives: y- (Eq. 5), never the row's own label.
    Raises ValueError for arrays of other shapes or kinds.
    """

    ids: tuple[str, ...]
    labels: IntArray  # [n]
    probabilities: FloatArray  # [n, K]
    negatives: BoolArray  # [n, K]

    def __post_init__(self) -> None:
        n, shape = len(self.ids), self.probabilities.shape
        if len(shape) != 2 or not (self.labels.shape == (n,) and shape[0] == n and self.negatives.shape == shape):
            raise ValueError(
                f"{n} ids, labels {self.labels.shape}, probabilities {shape}, negatives {self.negatives.shape}:"
                " expected n, (n,), (n, K), (n, K)"
            )
        if (self.labels.dtype.kind, self.probabilities.dtype.kind, self.negatives.dtype.kind) != ("i", "f", "b"):
            raise ValueError("labels are integers, probabilities floats, negatives booleans")

    @classmethod
    def none(cls, classes: int) -> "Verdicts":
        """No verdicts, over K labels."""
        return cls((), np.zeros(0, dtype=np.int64), np.zeros((0, classes)), np.zeros((0, classes), dtype=bool))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def confidences(self) -> FloatArray:
        """[n] the probability of each row's label."""
        own: FloatArray = self.probabilities[np.arange(len(self)), self.labels]
        return own

    def take(self, rows: Sequence[int] | IntArray) -> "Verdicts":
        """Some rows, in the order given."""
        index = np.asarray(rows, dtype=np.int64)
        ids = tuple(self.ids[row] for row in index.tolist())
        return Verdicts(ids, self.labels[index], self.probabilities[index], self.negatives[index])

    def of(self, ids: Sequence[str]) -> "Verdicts":
        """The rows of some items, in the order given. KeyError for an item that has none."""
        places = self._places()
        return self.take([places[item_id] for item_id in ids])

    def without(self, ids: Sequence[str] | set[str]) -> "Verdicts":
        """The rows of all other items."""
        left_out = set(ids)
        return self.take([row for row, item_id in enumerate(self.ids) if item_id not in left_out])

    def joined(self, *others: "Verdicts") -> "Verdicts":
        """These rows, then those of others."""
        parts = (self, *others)
        return Verdicts(
            tuple(item_id for part in parts for item_id in part.ids),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.negatives for part in parts]),
        )

    def updated(self, other: "Verdicts") -> "Verdicts":
        """These rows, of items that ``other`` has too the other's; then the other's rows of further items."""
        places, own, n = other._places(), set(self.ids), len(self)
        rows = [n + places[item_id] if item_id in places else row for row, item_id in enumerate(self.ids)]
        return self.joined(other).take([*rows, *(n + row for item_id, row in places.items() if item_id not in own)])

    def rows(self) -> Iterator[Verdict]:
        """One by one, to be shown."""
        columns = zip(self.ids, self.labels.tolist(), self.confidences.tolist(), strict=True)
        for row, (item_id, label, confidence) in enumerate(columns):
            negatives = tuple(np.flatnonzero(self.negatives[row]).tolist())
            yield Verdict(item_id, label, confidence, self.probabilities[row], negatives)

    def _places(self) -> dict[str, int]:
        return {item_id: row for row, item_id in enumerate(self.ids)}
