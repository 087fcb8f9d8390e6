"""MoL: MoLAM without pseudo-labels (the paper's ablation)."""

from dataclasses import dataclass
from typing import ClassVar

from mollia_cli.aggregators.molam import MoLAM
from mollia_cli.domain.observations import IntArray, Panel


@dataclass(eq=False)
class MoL(MoLAM):
    """The first fit of MoLAM; ``sigma`` and ``least_added`` change nothing."""

    name: ClassVar[str] = "mol"
    source: ClassVar[str] = "the paper, Table 2"

    def _fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        super()._fit(seed, labels, pool.take([]), random_seed)
