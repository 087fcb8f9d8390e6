"""The panel's disagreement: the items on which the annotators differ most."""

from typing import ClassVar

import numpy as np

from mollia_cli.strategies.base import PANEL, Pick, Signals, Strategy, entropy_of, top


class Disagreement(Strategy):
    """score = H(mean_i p_i) - mean_i H(p_i), the Jensen-Shannon divergence of the annotators, in nats.

    It is their mean KL divergence to the consensus mean_i p_i (McCallum & Nigam 1998, section 3.2). p_i
    is annotator i's z normalised over the labels; one that gives the labels no probability at all counts
    as uniform.
    """

    name = "disagreement"
    source = "McCallum & Nigam, Employing EM and Pool-Based Active Learning for Text Classification, ICML 1998"
    needs: ClassVar[frozenset[str]] = frozenset({PANEL})

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n items with the largest divergence."""
        z = signals.require(PANEL).astype(np.float64)
        mass = z.sum(axis=2, keepdims=True)
        p = np.where(mass > 0, z / np.where(mass > 0, mass, 1.0), 1.0 / z.shape[2])
        return top(signals.ids, entropy_of(p.mean(axis=1)) - entropy_of(p).mean(axis=1), n)
