"""Mean of the annotators' label probabilities (Fathullah et al. 2023; "logits-based" in the paper's Table 2)."""

from dataclasses import dataclass
from typing import ClassVar

from mollia_cli.aggregators.base import Untrained
from mollia_cli.aggregators.features import normalised, scores
from mollia_cli.domain.observations import FloatArray, Panel


@dataclass(eq=False)
class MeanLogits(Untrained):
    """The mean over annotators of z normalised over the labels.

    Normalised, because z is not: an annotator that puts little mass on the labels would else count less.
    """

    name: ClassVar[str] = "mean_logits"
    source: ClassVar[str] = "Fathullah, Xia and Gales 2023 (UAI)"

    def _predict(self, panel: Panel) -> FloatArray:
        mean: FloatArray = normalised(scores(panel)).mean(axis=1)
        return mean
