"""Panel quality: how good each LLM is, how they agree, and what each adds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.calibration import cross_fitted, expected_calibration_error
from mollia_cli.aggregators.features import normalised, scores, votes
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.metrics import cohen_kappa
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray, Panel

_Z = 1.959964  # the standard normal's 97.5% quantile
FEWEST = 10  # items from which on a share is shown with an interval


@dataclass(frozen=True, slots=True)
class MemberQuality:
    """One LLM on the labelled items.

    accuracy of its most probable label, with its 95% interval (see ``interval``); mass: mean
    probability on the label set; coverage: share of items with any valid vote; invalid: share of
    generations that were no label; ece: expected calibration error of its normalised probability.
    """

    annotator: str
    items: int
    accuracy: float
    lower: float | None
    upper: float | None
    mass: float
    coverage: float
    invalid: float
    ece: float


def member_quality(panel: Panel, labels: IntArray) -> list[MemberQuality]:
    """Every annotator on labelled items, which have to be a random sample; labels: [n]."""
    z, n = scores(panel), len(labels)
    shares, ordered = normalised(z), votes(panel)
    made = []
    for i, annotator in enumerate(panel.annotators):
        right = shares[:, i].argmax(axis=1) == labels
        lower, upper = interval(int(right.sum()), n)
        made.append(
            MemberQuality(
                annotator,
                n,
                _mean(right),
                lower,
                upper,
                _mean(np.minimum(z[:, i].sum(axis=1), 1.0)),
                _mean(ordered[:, i].sum(axis=1) > 0),
                _mean(panel.invalid[:, i]),
                expected_calibration_error(shares[:, i].max(axis=1), right),
            )
        )
    return made


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95% interval of a proportion (Wilson 1927); (0, 1) for no items."""
    if not n:
        return 0.0, 1.0
    share, spread = successes / n, _Z**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + spread)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def interval(successes: int, n: int) -> tuple[float | None, float | None]:
    """The 95% interval that is shown of a proportion: ``wilson``, or (None, None) of fewer than ``FEWEST`` items."""
    return wilson(successes, n) if n >= FEWEST else (None, None)


def difference(first: BoolArray, second: BoolArray) -> tuple[float, float | None, float | None]:
    """The difference of two accuracies on the same items, and its 95% interval.

    The interval is Bonett and Price's (2012) of paired proportions: Wald's with half an item added to either kind
    of disagreement, so that no disagreement among few items is not taken for proof that there is none. Like
    ``interval`` it is (None, None) for fewer than ``FEWEST`` items.
    """
    n, gained, lost = len(first), int((first & ~second).sum()), int((second & ~first).sum())
    if n < FEWEST:
        return (gained - lost) / n if n else float("nan"), None, None
    more, less = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = _Z * np.sqrt((more + less - (more - less) ** 2) / (n + 2))
    return (gained - lost) / n, float(max(-1.0, more - less - half)), float(min(1.0, more - less + half))


def no_better(who: str, than: str, value: float, lower: float | None, upper: float | None) -> str:
    """The remark on a ``difference`` of verdicts to ``than``, made without LLMs, that may be none; else ''.

    Also '' where nobody can tell.
    """
    if lower is None or upper is None or lower > 0:
        return ""
    return (
        f"the LLMs add nothing here that can be measured: the accuracy of {who} less that of {than} is"
        f" {value:+.3f} ({lower:+.3f} to {upper:+.3f})"
    )


def answers(panel: Panel) -> IntArray:
    """[n, N] most voted label of each annotator, ties to the more probable; -1 where no vote was valid."""
    shares = votes(panel)
    favourite = (shares + 1e-4 * normalised(scores(panel))).argmax(axis=2)
    return np.where(shares.sum(axis=2) > 0, favourite, -1).astype(np.int64)


def pairwise_kappa(panel: Panel) -> FloatArray:
    """[N, N] Cohen's kappa of every pair; 1 on the diagonal."""
    given, members = answers(panel), len(panel.annotators)
    table = np.ones((members, members))
    for i in range(members):
        for j in range(i):
            table[i, j] = table[j, i] = cohen_kappa(given[:, i], given[:, j], panel.classes)
    return table


def krippendorff_alpha(given: IntArray, classes: int) -> float:
    """Agreement of all annotators, nominal labels, missing answers allowed (Krippendorff 2011).

    given: [n, N], -1 for no answer; items with fewer than two answers are left out. nan where no
    two answers differ in kind.
    """
    counts = np.stack([(given == k).sum(axis=1) for k in range(classes)], axis=1).astype(np.float64)
    counts = counts[counts.sum(axis=1) >= 2]
    per_item, per_class = counts.sum(axis=1), counts.sum(axis=0)
    total = per_item.sum()
    # Disagreeing pairs within items against those in the whole, both per ordered pair.
    observed = ((per_item**2 - (counts**2).sum(axis=1)) / np.maximum(per_item - 1, 1)).sum()
    expected = (total**2 - (per_class**2).sum()) / max(total - 1, 1)
    return float(1.0 - observed / expected) if expected > 0 else float("nan")


def marginal_values(
    make: Callable[[], Aggregator],
    seed: Panel,
    labels: IntArray,
    pool: Panel,
    random_seed: int,
    measured: IntArray | slice = slice(None),
) -> dict[str, tuple[float, float | None, float | None]]:
    """What each member adds, by name: cross-fitted accuracy with the whole panel less that without it (``difference``).

    Members are the annotators, where there are two or more, and the encoders, where the aggregator looks at texts.
    measured: the rows of the seeds that are a random sample, which alone are counted; all are learned from. The
    interval is of the choice of these items: that other seeds would have taught otherwise is not in it. Raises
    InputError where nobody can be left out.
    """
    everyone = range(len(seed.annotators))
    without: dict[str, Callable[[Panel], Panel]] = {}
    if len(everyone) > 1:
        for i, name in enumerate(seed.annotators):
            without[name] = partial(only, members=[j for j in everyone if j != i])
    if seed.texts is not None and make().reads:
        without |= {encoder: partial(_blind, encoder=encoder) for encoder in seed.texts.encoders}
    if not without:
        raise InputError("a panel of one has nobody to leave out", "add an LLM or an encoder: mollia panel add NAME")

    def right(of: Callable[[Panel], Panel]) -> BoolArray:
        held = cross_fitted(make, of(seed), labels, of(pool), random_seed)
        found: BoolArray = held.argmax(axis=1)[measured] == labels[measured]
        return found

    whole = right(lambda panel: panel)
    return {name: difference(whole, right(less)) for name, less in without.items()}


def only(panel: Panel, members: Sequence[int]) -> Panel:
    """The panel restricted to some annotators."""
    index = list(members)
    return Panel(
        panel.ids,
        tuple(panel.annotators[i] for i in index),
        panel.log_probs[:, index],
        panel.votes[:, index],
        panel.invalid[:, index],
        panel.samples,
        panel.texts,
    )


def _blind(panel: Panel, encoder: str) -> Panel:
    """The panel without one of its encoders."""
    return panel if panel.texts is None else replace(panel, texts=panel.texts.without(encoder))


def _mean(values: FloatArray | IntArray | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
