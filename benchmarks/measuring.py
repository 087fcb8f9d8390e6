"""Is what 50 seed labels say of accuracy, confidence, negative labels and panel members true of all other items?

    python benchmarks/measuring.py --features DIR [--draws 60] [--pool 500] [--aggregator NAME] [--json]

For every NAME_meta_x.npy with NAME_meta_y.npy in the features folder (as for paper_tables.py), each draw takes
``--pool`` random rows, chooses 50 of them as seeds in each of four ways, fits and cross-fits the aggregator, and
compares what the seeds say with what is so of the other rows:

    typical   all 50 by k-means on what the LLMs said, and all are measured on
    doubtful  25 at random, then the 25 least confident verdicts (`mollia review`), and all are measured on
    half      25 by k-means and 25 at random, and the random ones are measured on (`mollia label --seed 50`)
    random    all 50 at random, and all are measured on
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

# Before numpy starts its threads: one core.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from paper_tables import LLMS_ALONE, Dataset, read_dataset

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.calibration import (
    calibrate,
    cross_fitted,
    expected_calibration_error,
    reliability,
    tempered,
)
from mollia_cli.aggregators.negatives import choose_delta, false_negative_rate, negative_labels
from mollia_cli.aggregators.quality import difference, interval, only
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray, Panel
from mollia_cli.domain.rng import stream
from mollia_cli.strategies.base import Signals
from mollia_cli.strategies.seed import Seed

LABELS = 50
BOUND = 0.02  # of false negatives, the default
WAYS = ("typical", "doubtful", "half", "random")


def typical(panel: Panel, rows: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """The n of the rows that the strategy "seed" wants."""
    seen = panel.take(rows)
    z = seen.probabilities
    picks = Seed().select(Signals(seen.ids, panel=z / np.maximum(z.sum(axis=2, keepdims=True), 1e-12)), n, rng)
    place = dict(zip(seen.ids, rows.tolist(), strict=True))
    return np.array([place[pick.id] for pick in picks], dtype=np.int64)


def choose(data: Dataset, pool: IntArray, way: str, make: Any, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """(seeds, places among them that are measured on) of the pool's rows, which stand in random order."""
    half = LABELS // 2
    every = np.arange(LABELS)
    if way == "random":
        return pool[:LABELS], every
    if way == "typical":
        return typical(data.panel, pool, LABELS, rng), every
    if way == "half":
        first = typical(data.panel, pool, half, rng)
        return np.concatenate([first, pool[~np.isin(pool, first)][: LABELS - half]]), every[half:]
    first, rest = pool[:half], pool[half:]
    unlabelled = data.panel.take(rest)
    fitted = make().fit(data.panel.take(first), data.labels[first], unlabelled, 0)
    doubt = fitted.predict_proba(unlabelled).max(axis=1).argsort(kind="stable")
    return np.concatenate([first, rest[doubt[:half]]]), every


def plain_ece(confidence: FloatArray, right: BoolArray) -> float:
    """ECE as it is usually computed, with what chance adds."""
    return sum(b.n * abs(b.confidence - b.accuracy) for b in reliability(confidence, right)) / len(confidence)


def covers(found: tuple[float | None, float | None], truth: float) -> bool:
    """The interval holds the truth."""
    lower, upper = found
    return lower is not None and upper is not None and lower <= truth <= upper


def once(data: Dataset, way: str, draw: int, size: int, aggregator: str) -> dict[str, float]:
    """One draw: what the seeds say, and what is so of the others."""
    kind = AGGREGATORS.load(aggregator)
    rng = stream(draw, "measuring")
    pool = rng.permutation(len(data.panel))[:size]
    seeds, measured = choose(data, pool, way, kind, rng)
    others = np.setdiff1d(pool, seeds)
    seed, unlabelled, labels, gold = (
        data.panel.take(seeds), data.panel.take(others), data.labels[seeds], data.labels[others]
    )  # fmt: skip

    def both(panel: Panel, rest: Panel) -> tuple[FloatArray, FloatArray]:
        """Cross-fitted on the seeds, and fitted on them for the others."""
        return cross_fitted(kind, panel, labels, rest, 0), kind().fit(panel, labels, rest, 0).predict_proba(rest)

    held, whole = both(seed, unlabelled)
    known = calibrate(held, labels)
    right = known.right[measured]
    ends = interval(int(right.sum()), len(right))
    truth = whole.argmax(axis=1) == gold
    found = {
        "true": float(truth.mean()),
        "said": float(right.mean()),
        "covered": float(covers(ends, float(truth.mean()))),
        "width": float((ends[1] or 0.0) - (ends[0] or 0.0)),
        "ece_said": expected_calibration_error(known.confidence[measured], right),
        "ece_plain": plain_ece(known.confidence[measured], right),
        "ece_true": expected_calibration_error(tempered(whole, known.temperature).max(axis=1), truth),
    }
    delta = choose_delta(seed, labels, BOUND)
    found["false_negatives"] = false_negative_rate(negative_labels(unlabelled, delta), gold)
    found["above_bound"] = float(found["false_negatives"] > BOUND)
    left_out = draw % len(data.panel.annotators)
    rest = [i for i in range(len(data.panel.annotators)) if i != left_out]
    held_less, whole_less = both(only(seed, rest), only(unlabelled, rest))
    adds = float(truth.mean() - (whole_less.argmax(axis=1) == gold).mean())
    _, *ends_of_adds = difference(right, (held_less.argmax(axis=1) == labels)[measured])
    found["adds_covered"] = float(covers((ends_of_adds[0], ends_of_adds[1]), adds))
    return found


def measure(data: Dataset, draws: int, size: int, aggregator: str) -> dict[str, dict[str, float]]:
    """By way of choosing: the means over the draws."""
    table = {}
    for way in WAYS:
        found = [once(data, way, draw, size, aggregator) for draw in range(draws)]
        table[way] = {key: round(float(np.mean([row[key] for row in found])), 4) for key in found[0]}
        print(f"{data.name}: {way} {table[way]}", file=sys.stderr, flush=True)
    return table


def print_table(name: str, aggregator: str, table: dict[str, dict[str, float]]) -> None:
    """One data set for people."""
    print(f"\n{name}, {aggregator}: {LABELS} seeds; intervals are meant to cover in .95 of draws")
    columns = {
        "true": "accuracy", "said": "said", "covered": "covered", "width": "width", "ece_true": "ECE",
        "ece_said": "said", "ece_plain": "plain", "false_negatives": "false y-", "above_bound": f"> {BOUND}",
        "adds_covered": "adds cov.",
    }  # fmt: skip
    print("          " + "".join(f"{title:>10s}" for title in columns.values()))
    for way, row in table.items():
        print(f"{way:10s}" + "".join(f"{row[key]:10.3f}" for key in columns))


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True, metavar="DIR")
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--pool", type=int, default=500, help="rows of each draw (default: 500)")
    parser.add_argument(
        "--aggregator", default=LLMS_ALONE, help=f"(default: {LLMS_ALONE}; stored outputs have no texts)"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = sorted(options.features.glob("*_meta_x.npy"))
    if not found:
        parser.error(f"no *_meta_x.npy in {options.features}")
    datasets = {}
    for path in found:
        data = read_dataset(path)
        datasets[data.name] = measure(data, options.draws, options.pool, options.aggregator)
    if options.json:
        print(json.dumps({"aggregator": options.aggregator, "datasets": datasets}))
    else:
        for name, table in datasets.items():
            print_table(name, options.aggregator, table)


if __name__ == "__main__":
    main()
