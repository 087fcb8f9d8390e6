"""Labels saved: how many labels an alternative needs to be as good as mollia is with a few; and its picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mollia_cli.domain.observations import IntArray
from mollia_cli.domain.rng import stream
from mollia_cli.reports.blocks import Chart, Table
from mollia_cli.reports.curves import ticks
from mollia_cli.reports.svg import axis_x, axis_y, colour, legend, marker, points, standalone, text

RESAMPLES = 2000
# Accuracies of each draw, by number of labels.
Curve = Mapping[int, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Saved:
    """The alternative that needs fewest labels, how many (inf: more than were tried), and the 95% interval of that.

    labels: how many mollia has; target: the accuracy that it reaches with them.
    """

    labels: int
    target: float
    method: str
    needed: float
    interval: tuple[float, float]

    @property
    def times(self) -> float:
        """How many times the labels the alternative needs."""
        return self.needed / self.labels


def labels_needed(curve: Sequence[tuple[int, float]], target: float) -> float:
    """Where a curve of (labels, accuracy), joined by straight lines, first reaches the target; inf where it never does.

    A curve that begins above the target gives its first number of labels: no fewer were tried.
    """
    before = None
    for labels, accuracy in sorted(curve):
        if accuracy >= target:
            if before is None:
                return float(labels)
            return before[0] + (labels - before[0]) * (target - before[1]) / (accuracy - before[1])
        before = labels, accuracy
    return math.inf


def labels_saved(curves: Mapping[str, Curve], mollia: Sequence[float], labels: int) -> Saved:
    """The best of the alternatives' curves beside mollia's draws with ``labels``.

    The interval is by bootstrap over draws: draws of the same number are resampled together, as they share labels,
    and the best alternative is chosen anew each time.
    """
    everything = {name: [(n, float(np.mean(own))) for n, own in curve.items()] for name, curve in curves.items()}
    target = float(np.mean(mollia))
    method, needed = _best(everything, target)
    rng = stream(0, "labels saved")
    found = []
    for _ in range(RESAMPLES):
        picks: dict[int, IntArray] = {}

        def mean(values: Sequence[float], picks: dict[int, IntArray] = picks) -> float:
            n = len(values)
            if n not in picks:
                picks[n] = rng.integers(0, n, n)
            return float(np.asarray(values)[picks[n]].mean())

        resampled = {name: [(n, mean(own)) for n, own in curve.items()] for name, curve in curves.items()}
        found.append(_best(resampled, mean(mollia))[1])
    low, high = np.quantile(found, [0.025, 0.975], method="inverted_cdf")
    return Saved(labels, target, method, needed, (float(low), float(high)))


def _best(curves: Mapping[str, Sequence[tuple[int, float]]], target: float) -> tuple[str, float]:
    """(method, labels needed) of the one that needs fewest; of those that need equally many, the highest at its end."""
    needed = {name: labels_needed(curve, target) for name, curve in curves.items()}
    name = min(curves, key=lambda name: (needed[name], -max(curves[name])[1]))
    return name, needed[name]


def in_words(method: str) -> str:
    """A method's name in a picture."""
    kind, _, encoder = method.partition(":")
    words = {"lr": "logistic regression", "spreading": "label spreading", "setfit": "SetFit", "finetune": "fine-tuning"}
    return f"{words.get(kind, kind)}{f' on {encoder}' if encoder else ''}"


WIDTH, PLOT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 14, 48


def labels_saved_svg(saved: Saved, curve: Curve, title: str) -> str:
    """The alternative's curve (band: standard deviation over draws), mollia's point, and the arrow between them."""
    reached = math.isfinite(saved.needed)
    widest = max(1.6 * saved.needed, 4 * saved.labels)  # and no further: what is beside the arrow matters
    shown = sorted(n for n in curve if n <= widest)
    means = {n: float(np.mean(curve[n])) for n in shown}
    spread = {n: float(np.std(curve[n], ddof=1)) if len(curve[n]) > 1 else 0.0 for n in shown}
    heights = [means[n] + sign * spread[n] for n in shown for sign in (-1, 1)]
    x_marks = ticks(0, max(shown))
    y_marks = ticks(min([*heights, saved.target]), max([*heights, saved.target]) + 0.01)

    def place(x: float, y: float) -> tuple[float, float]:
        right, down = x / x_marks[-1], (y - y_marks[0]) / (y_marks[-1] - y_marks[0])
        return LEFT + right * (WIDTH - LEFT - RIGHT), PLOT - BOTTOM - down * (PLOT - TOP - BOTTOM)

    frame = (LEFT, WIDTH - RIGHT, TOP, PLOT - BOTTOM)
    parts = [*axis_x(*frame, x_marks, "labelled by hand"), *axis_y(*frame, y_marks, "test accuracy")]
    band = [place(n, means[n] + spread[n]) for n in shown] + [place(n, means[n] - spread[n]) for n in reversed(shown)]
    parts += [f'<polygon points="{points(band)}" fill="{colour(0)}" opacity="0.15"/>']
    line = [place(n, means[n]) for n in shown]
    parts += [f'<polyline points="{points(line)}" fill="none" stroke="{colour(0)}" stroke-width="2"/>']
    parts += [marker(at, 0, 3.2) for at in line]
    start, end = place(saved.labels, saved.target), place(min(saved.needed, max(shown)), saved.target)
    paint = f'stroke="{colour(1)}" stroke-width="2"'
    parts += [f'<polyline points="{points([start, end])}" fill="none" {paint} stroke-dasharray="6 4"/>']
    head = [end, (end[0] - 9, end[1] - 5), (end[0] - 9, end[1] + 5)]
    parts += [f'<polygon points="{points(head)}" fill="{colour(1)}"/>', marker(start, 1, 6)]
    words = f"{saved.needed:.0f} labels" if reached else f"more than {max(shown)} labels"
    parts += [text((end[0], end[1] + 30), words, "end", 'font-weight="600"')]
    names = (in_words(saved.method), f"mollia with {saved.labels} labels: {saved.target:.3f}")
    keys, below = legend(names, (LEFT, PLOT + 6), WIDTH, lambda series, at: marker(at, series))
    described = (
        f"{in_words(saved.method)} needs {words} to reach the {saved.target:.3f} that mollia has with {saved.labels}."
    )
    table = Table(title, ["labels", "mean", "standard deviation"], [[n, means[n], spread[n]] for n in shown])
    return standalone(Chart("labels-saved", title, described, WIDTH, below, "\n".join([*parts, *keys]), table))
