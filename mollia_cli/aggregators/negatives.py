"""Negative labels: the classes that an item is unlikely to belong to (Eq. 5)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mollia_cli.aggregators.features import scores
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray, Panel
from mollia_cli.domain.printable import count
from mollia_cli.domain.settings import PAPER

Rule = Literal["all", "mean"]
DELTA = float(PAPER["aggregate"]["delta"])


@dataclass(frozen=True, slots=True)
class NegativeRule:
    """Eq. 5 with its ``delta``, and what it does to ``items`` labelled items.

    false_negatives: share of them whose gold label it takes for a negative one (nan for no items);
    bound: what that is at most for new items, on average over seed sets; None where it cannot be promised.
    chosen: delta was chosen on these very items, so that new ones fare worse.
    """

    delta: float
    false_negatives: float
    items: int
    bound: float | None
    chosen: bool


def negative_labels(panel: Panel, delta: float = DELTA, rule: Rule = "all") -> BoolArray:
    """y- as [n, K]: every annotator gives the label a probability below ``delta`` (Eq. 5).

    ``rule="mean"``, what the authors' code does, asks it of the mean over annotators instead.
    """
    return _evidence(panel, rule) < delta


def without_verdicts(negatives: BoolArray, labels: IntArray) -> BoolArray:
    """y- with each item's own verdict y+ taken out: a label is never trained for and against at once."""
    kept = negatives.copy()
    kept[np.arange(len(labels)), labels] = False
    return kept


def false_negative_rate(negatives: BoolArray, labels: IntArray) -> float:
    """Share of the items whose gold label is among their negative labels; nan for no items."""
    return float(_own(negatives, labels).mean()) if len(labels) else float("nan")


def negative_shares(negatives: BoolArray, labels: IntArray) -> dict[str, float]:
    """Table 3: true and false negative labels as shares of the full label space (n * K)."""
    false = float(_own(negatives, labels).sum()) / negatives.size
    return {"true": float(negatives.mean()) - false, "false": false}


def choose_delta(panel: Panel, labels: IntArray, bound: float, rule: Rule = "all") -> float:
    """The largest delta whose expected false-negative rate on new items is at most ``bound``.

    A gold label becomes a negative one where the panel's evidence for it is below delta. With
    delta the j-th smallest evidence of n labelled items, j = floor(bound * (n + 1)), that happens
    to a new exchangeable item with probability at most j / (n + 1) (split conformal prediction;
    Vovk et al. 2005). That is on average over sets of n items: for many of them it is more. Raises InputError
    where n is too small to promise ``bound``.
    """
    if not 0.0 < bound < 1.0:
        raise InputError(f"false-negative bound {bound} is not between 0 and 1", "for example: 0.02")
    n = len(labels)
    rank = int(np.floor(bound * (n + 1) + 1e-9))
    if rank < 1:
        raise InputError(
            f"{count(n, 'labelled item')} cannot promise a false-negative rate of at most {bound}",
            f"ask for {1 / (n + 1):.4f} or more, or label {count(int(np.ceil(1 / bound)) - 1, 'item')}",
        )
    evidence = _own(_evidence(panel, rule), labels)
    return float(np.sort(evidence)[rank - 1])


def rule_for(
    panel: Panel, labels: IntArray, delta: float, bound: float, sample: IntArray | slice = slice(None)
) -> NegativeRule:
    """The rule at ``delta``, or at the delta that keeps ``bound`` where ``delta`` is 0.

    Where the labelled items are too few for the bound, it is the paper's delta, or the smallest
    evidence for a gold label among them if that is less. sample: the rows of the labelled items that are a random
    sample; a given ``delta`` is measured on these, and a bound is promised only where they are all there are.
    """
    promised: float | None = None
    chosen = not delta
    if chosen:
        try:
            delta = choose_delta(panel, labels, bound)
            promised = bound if len(labels[sample]) == len(labels) else None
        except InputError:
            delta = min([DELTA, *_own(_evidence(panel, "all"), labels)])
        sample = slice(None)
    rate = false_negative_rate(negative_labels(panel, delta)[sample], labels[sample])
    return NegativeRule(float(delta), rate, len(labels[sample]), promised, chosen)


def _evidence(panel: Panel, rule: Rule) -> FloatArray:
    z = scores(panel)
    evidence: FloatArray = z.max(axis=1) if rule == "all" else z.mean(axis=1)
    return evidence


def _own(values: BoolArray | FloatArray, labels: IntArray) -> FloatArray:
    return values[np.arange(len(labels)), labels].astype(np.float64)
