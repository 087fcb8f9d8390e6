"""The best single LLM ("Single LLM" in the paper's Table 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.features import normalised, scores
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import FloatArray, IntArray, Panel


@dataclass(eq=False)
class Single(Aggregator):
    """One annotator's label probabilities: the named one's, else the one with the highest accuracy on the seeds.

    Ties go to the annotator that gives the gold labels the higher mean log-probability. Raises
    InputError for an annotator that is not in the panel.
    """

    name: ClassVar[str] = "single"
    source: ClassVar[str] = "the paper, Table 2"

    annotator: str = ""

    def _fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        if self.annotator:
            if self.annotator not in self.annotators:
                raise InputError(
                    f"annotator {self.annotator!r} is not in the panel", f"it holds: {', '.join(self.annotators)}"
                )
            self._member = self.annotators.index(self.annotator)
            return
        z = normalised(scores(seed))
        right = (z.argmax(axis=2) == labels[:, None]).sum(axis=0)
        confidence = np.log(z[np.arange(len(labels)), :, labels] + 1e-9).mean(axis=0)
        self._member = int(np.lexsort((confidence, right))[-1])

    def _predict(self, panel: Panel) -> FloatArray:
        return normalised(scores(panel))[:, self._member]

    def _state(self) -> dict[str, Any]:
        return {"member": self._member}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._member = int(state["member"])
