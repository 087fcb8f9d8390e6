"""Overall uncertainty: the classifier is confident on the pool."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mollia_cli.stopping.base import Criterion, History


@dataclass(frozen=True)
class Uncertainty(Criterion):
    """Stops when the mean of H(p) / log K over the stop set is below ``threshold``, H the Shannon entropy.

    The paper averages over all unlabelled items and leaves the threshold to the user; 0.05 of what K labels
    allow is usual (small-text's default). A fine-tuned encoder is often overconfident.
    """

    name: ClassVar[str] = "uncertainty"
    source: ClassVar[str] = "Zhu, Wang & Hovy, Learning a Stopping Criterion for Active Learning, IJCNLP 2008"

    threshold: float = 0.05

    def _reason(self, history: History) -> str:
        if not history.opinions.size:
            return ""
        p = history.opinions[-1]
        entropy = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1)
        mean = float(entropy.mean() / np.log(max(p.shape[1], 2)))
        if mean >= self.threshold:
            return ""
        return f"the classifier is confident on the pool: mean normalised entropy {mean:.4f}, below {self.threshold}"
