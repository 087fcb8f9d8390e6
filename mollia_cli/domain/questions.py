"""A project whose texts may have several labels, as yes/no questions: one of every label, about each text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import BoolArray, FloatArray
from mollia_cli.domain.verdicts import Verdicts

ANSWERS = LabelSet(("no", "yes"))
NO, YES = range(2)


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a label applies: its place in the project's label set, its name and its description."""

    place: int
    label: str
    description: str

    @property
    def words(self) -> str:
        """The label as the prompt names it."""
        return f"{self.label} ({self.description})" if self.description else self.label


def questions_of(labels: LabelSet) -> tuple[Question, ...]:
    """One question for each label."""
    described = zip(labels.names, labels.descriptions, strict=True)
    return tuple(Question(place, name, meaning) for place, (name, meaning) in enumerate(described))


@dataclass(frozen=True, slots=True, eq=False)
class SetVerdicts:
    """Which labels apply to n items: ``labels`` and their calibrated ``probabilities``, [n, K]; rows follow ``ids``."""

    ids: tuple[str, ...]
    labels: BoolArray
    probabilities: FloatArray

    @classmethod
    def of(cls, answers: Sequence[Verdicts]) -> "SetVerdicts":
        """From the verdicts of the K questions on the same items, in the same order."""
        labels = np.stack([each.labels == YES for each in answers], axis=1)
        return cls(answers[0].ids, labels, np.stack([each.probabilities[:, YES] for each in answers], axis=1))

    @property
    def confidences(self) -> FloatArray:
        """[n] of each item the probability of the answer that is least certain."""
        return np.asarray(np.where(self.labels, self.probabilities, 1.0 - self.probabilities).min(axis=1))
