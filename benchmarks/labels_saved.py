"""Labels saved: how many labels an alternative needs to be as good as mollia is with a few; and its picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mollia_cli.domain.observations import IntArray
from mollia_cli.domain.rng import stream
from mollia_cli.reports.blocks import Chart, Table
from mollia_cli.reports.curves import ticks
from mollia_cli.reports.svg import axis_y, colour, legend, marker, points, rule, standalone, text

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
    on = f" on {encoder.removeprefix('all-')}" if encoder else ""
    return words.get(kind, kind.replace("-", " ")) + on


WIDTH, PLOT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 14, 48


def ahead(curves: Mapping[str, Curve], method: str) -> list[str]:
    """The alternatives that are better than ``method`` with the fewest labels that both were tried with."""
    found = []
    for name, curve in curves.items():
        both = sorted(set(curve) & set(curves[method]))
        if name != method and both and np.mean(curve[both[0]]) > np.mean(curves[method][both[0]]):
            found.append(name)
    return found


def labels_saved_svg(saved: Saved, curves: Mapping[str, Curve], title: str) -> str:
    """The best alternative's curve (band: standard deviation over draws), mollia's point, and the arrow between them.

    Beside it those that are ahead of it with few labels; labels on a logarithmic scale.
    """
    best = curves[saved.method]
    reached = math.isfinite(saved.needed)
    enough = min((n for n in best if n >= saved.needed), default=max(best))
    widest = max(enough, 4 * saved.labels)  # and no further: what is beside the arrow matters
    means = {n: float(np.mean(best[n])) for n in sorted(best) if n <= widest}
    shown = list(means)
    spread = {n: float(np.std(best[n], ddof=1)) if len(best[n]) > 1 else 0.0 for n in shown}
    others = {
        name: {n: float(np.mean(own)) for n, own in sorted(curves[name].items()) if n <= widest}
        for name in ahead(curves, saved.method)
    }
    heights = [means[n] + sign * spread[n] for n in shown for sign in (-1, 1)]
    heights += [saved.target, *(height for curve in others.values() for height in curve.values())]
    first = min(shown[0], saved.labels)
    doublings = math.log2(shown[-1] / first)
    x_marks = [first * 2**k for k in range(math.floor(doublings) + 1)]
    y_marks = ticks(min(heights), max(heights) + 0.01)

    def place(x: float, y: float) -> tuple[float, float]:
        right, down = math.log2(x / first) / max(doublings, 1.0), (y - y_marks[0]) / (y_marks[-1] - y_marks[0])
        return LEFT + right * (WIDTH - LEFT - RIGHT), PLOT - BOTTOM - down * (PLOT - TOP - BOTTOM)

    def line(curve: Mapping[int, float], series: int) -> list[str]:
        at = [place(n, height) for n, height in curve.items()]
        stroke = f'<polyline points="{points(at)}" fill="none" stroke="{colour(series)}" stroke-width="2"/>'
        return [stroke, *(marker(one, series, 3.2) for one in at)]

    parts = axis_y(LEFT, WIDTH - RIGHT, TOP, PLOT - BOTTOM, y_marks, "test accuracy")
    for n in x_marks:
        x, y = place(n, y_marks[0])
        parts += [rule((x, TOP), (x, y)), text((x, y + 17), str(n))]
    parts += [text(((LEFT + WIDTH - RIGHT) / 2, PLOT - BOTTOM + 36), "labelled by hand")]
    band = [place(n, means[n] + spread[n]) for n in shown] + [place(n, means[n] - spread[n]) for n in reversed(shown)]
    parts += [f'<polygon points="{points(band)}" fill="{colour(0)}" opacity="0.15"/>', *line(means, 0)]
    for series, curve in enumerate(others.values(), start=2):
        parts += line(curve, series)
    start, end = place(saved.labels, saved.target), place(min(saved.needed, shown[-1]), saved.target)
    paint = f'stroke="{colour(1)}" stroke-width="2"'
    parts += [f'<polyline points="{points([start, end])}" fill="none" {paint} stroke-dasharray="6 4"/>']
    head = [end, (end[0] - 9, end[1] - 5), (end[0] - 9, end[1] + 5)]
    parts += [f'<polygon points="{points(head)}" fill="{colour(1)}"/>', marker(start, 1, 6)]
    words = f"{saved.needed:.0f} labels" if reached else f"more than {shown[-1]} labels"
    parts += [text((end[0], end[1] + 30), words, "end", 'font-weight="600"')]
    names = [in_words(saved.method), f"mollia with {saved.labels} labels: {saved.target:.3f}", *map(in_words, others)]
    keys, below = legend(names, (LEFT, PLOT + 6), WIDTH, lambda series, at: marker(at, series))
    described = (
        f"{in_words(saved.method)} needs {words} to reach the {saved.target:.3f} that mollia has with {saved.labels}."
    )
    table = Table(title, ["labels", "mean", "standard deviation"], [[n, means[n], spread[n]] for n in shown])
    return standalone(Chart("labels-saved", title, described, WIDTH, below, "\n".join([*parts, *keys]), table))
