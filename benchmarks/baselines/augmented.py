"""DA (Ma 2019, nlpaug) and PAG (Yadav, Tang and Srinivasan 2024): MoL on seeds and variants of them.

A variant is one more seed with the label of its original. They are functions and no aggregators of the package: an
aggregator is given observations of items alone, and these two need those of varied texts.
"""

from collections.abc import Sequence

import numpy as np

from mollia_cli.aggregators.mol import MoL
from mollia_cli.domain.observations import FloatArray, IntArray, Panel


def augmented(
    seed: Panel, labels: IntArray, variants: Panel, originals: Sequence[str], pool: Panel, random_seed: int
) -> MoL:
    """MoL fitted on n seeds and m variants of some; originals: [m] ids of the seeds that the variants are of."""
    label = dict(zip(seed.ids, labels.tolist(), strict=True))
    more = np.array([label[item_id] for item_id in originals], dtype=np.int64)
    return MoL().fit(seed.joined(variants), np.concatenate([labels, more]), pool, random_seed)


def averaged(fitted: MoL, items: Panel, variants: Panel, originals: Sequence[str]) -> FloatArray:
    """[n, K] PAG's probabilities of n items: the mean over the item and its paraphrases, by ``originals`` [m]."""
    rows = {item_id: row for row, item_id in enumerate(items.ids)}
    family = np.array([*rows.values(), *(rows[item_id] for item_id in originals)])
    sums = np.zeros((len(rows), items.classes))
    np.add.at(sums, family, fitted.predict_proba(items.joined(variants)))
    means: FloatArray = sums / np.bincount(family)[:, None]
    return means
