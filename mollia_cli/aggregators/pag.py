"""PAG: paraphrase and aggregate (Yadav, Tang and Srinivasan 2024)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mollia_cli.aggregators.mol import MoL
from mollia_cli.aggregators.variants import PARAPHRASE, original_id
from mollia_cli.domain.observations import FloatArray, Panel


@dataclass(eq=False)
class PAG(MoL):
    """MoL on the seeds and their paraphrases; an item's verdict is the mean over its paraphrases.

    A paraphrase is an item whose id is ``variant_id(id, PARAPHRASE, number)``, observed by the same panel;
    in ``fit`` it comes with the label of its original. Without any, this is MoL.
    """

    name: ClassVar[str] = "pag"
    source: ClassVar[str] = "Yadav, Tang and Srinivasan 2024 (SIGIR)"
    variants: ClassVar[str] = PARAPHRASE
    averages: ClassVar[bool] = True

    def _predict(self, panel: Panel) -> FloatArray:
        own = super()._predict(panel)
        _, family = np.unique([original_id(item_id) for item_id in panel.ids], return_inverse=True)
        sums = np.zeros((int(family.max()) + 1, self.classes))
        np.add.at(sums, family, own)
        means: FloatArray = (sums / np.bincount(family)[:, None])[family]
        return means
