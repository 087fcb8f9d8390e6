"""The aggregator contract: a panel's observations and a few seed labels in, label probabilities out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np

from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.printable import count


class Aggregator(ABC):
    """Turns what N annotators observed into one distribution over K labels for each item.

    Subclasses are ``@dataclass(eq=False)``: their fields are their settings, all with defaults.
    They implement ``_fit``, ``_predict``, ``_state`` and ``_restore``; the checks stand here.
    ``learns`` is False where seed labels change nothing (n may then be 0). ``reads`` is True where it looks at the
    panel's encoders (``Panel.texts``), too.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    learns: ClassVar[bool] = True
    reads: ClassVar[bool] = False

    annotators: tuple[str, ...] = ()
    classes: int = 0

    def fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int = 0) -> Self:
        """Learn from the seed set.

        seed: n observations; labels: [n] indices of their gold labels; pool: m unlabelled
        observations (m may be 0) for semi-supervised fitting; random_seed: the only source of
        randomness. Raises InputError for labels that do not fit, RefusedError for a pool that
        another panel observed.
        """
        gold = np.asarray(labels, dtype=np.int64)
        if gold.shape != (len(seed),):
            items = count(len(seed), "seed item")
            raise InputError(f"{items} but labels of shape {gold.shape}", "give one label for each")
        if len(gold) and not (gold.min() >= 0 and gold.max() < seed.classes):
            raise InputError(
                f"seed labels go from {gold.min()} to {gold.max()}, but there are {count(seed.classes, 'label')}",
                f"label indices go from 0 to {seed.classes - 1}",
            )
        if self.learns and not len(gold):
            raise InputError(
                f"aggregator {self.name!r} learns from seed labels, and there are none",
                "import some with --split seed, or use one that needs none: --aggregator vote",
            )
        self.annotators, self.classes = seed.annotators, seed.classes
        self._check(pool)
        self._fit(seed, gold, pool, random_seed)
        return self

    def predict_proba(self, panel: Panel) -> FloatArray:
        """[n, K] label probabilities; rows sum to 1. Raises RefusedError for another panel."""
        self._check(panel)
        if not len(panel):
            return np.zeros((0, self.classes))
        return self._predict(panel)

    def knows(self, item_id: str) -> bool:
        """Whether it keeps the item's probabilities, so that no text has to be read for them; of one that ``reads``."""
        return False

    def settings(self) -> dict[str, Any]:
        """The settings, by name."""
        return {setting.name: getattr(self, setting.name) for setting in fields(self)}  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        """The fitted state, with the names of the annotators that it was fitted on."""
        return {
            "aggregator": self.name,
            "annotators": list(self.annotators),
            "classes": self.classes,
            "settings": self.settings(),
            "state": self._state(),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """A fitted aggregator from ``to_json``'s output. Raises RefusedError for another aggregator's."""
        if state.get("aggregator") != cls.name:
            raise RefusedError(
                f"this is a saved {state.get('aggregator')!r} aggregator, not a {cls.name!r} one",
                f"fit again: mollia aggregate --aggregator {cls.name}",
            )
        made = cls(**state["settings"])
        made.annotators, made.classes = tuple(state["annotators"]), int(state["classes"])
        made._restore(state["state"])
        return made

    def _check(self, panel: Panel) -> None:
        if not self.annotators:
            raise RefusedError(f"aggregator {self.name!r} is not fitted", "fit it first: mollia aggregate")
        if panel.annotators != self.annotators:
            raise RefusedError(
                f"aggregator {self.name!r} was fitted on the panel {', '.join(self.annotators)}; "
                f"these observations are of {', '.join(panel.annotators) or 'nobody'}",
                "restore that panel (mollia panel list), or fit again: mollia aggregate",
            )
        if panel.classes != self.classes:
            raise RefusedError(
                f"aggregator {self.name!r} was fitted on {count(self.classes, 'label')}; these are of {panel.classes}",
                "fit again: mollia aggregate",
            )

    @abstractmethod
    def _fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        """``fit`` after its checks."""

    @abstractmethod
    def _predict(self, panel: Panel) -> FloatArray:
        """``predict_proba`` after its checks; n > 0."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """What ``_restore`` needs, as plain JSON."""

    @abstractmethod
    def _restore(self, state: Mapping[str, Any]) -> None:
        """The inverse of ``_state``."""


class Untrained(Aggregator):
    """An aggregator that learns nothing: its ``fit`` only keeps the panel."""

    learns: ClassVar[bool] = False

    def _fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        pass

    def _state(self) -> dict[str, Any]:
        return {}

    def _restore(self, state: Mapping[str, Any]) -> None:
        pass
