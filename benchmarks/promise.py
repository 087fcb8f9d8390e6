"""Does a promised precision hold? Over many draws of 50 seeds, from stored LLM outputs.

    python benchmarks/promise.py --features DIR [--draws 100] [--seeds 50] [--level 0.8] [--aggregator NAME] [--json]

For every NAME_meta_x.npy with NAME_meta_y.npy (as for paper_tables.py) and every target precision: the seeds of a draw
fit and calibrate an aggregator beside unlabelled rows, and promise a threshold or abstain, by the functions behind
``mollia aggregate --target-precision``. All rows that are no seeds are concluded on; nothing but ``kept`` and
``oracle_coverage`` reads their labels.

answered: the share of draws with a threshold. missed: the share of all draws whose verdicts at the threshold or above
are right less often than the target. coverage: the mean share of verdicts at the threshold or above, over the draws
that answered; oracle: the same for the lowest threshold that keeps the target by the true labels, in the same draws.
worst: the lowest precision of any draw that answered.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from paper_tables import LLMS_ALONE, Dataset, read_dataset

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.calibration import Calibration, fit_calibrated, tempered
from mollia_cli.aggregators.precision import LEVEL, threshold_for
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import BoolArray, FloatArray
from mollia_cli.domain.rng import stream

TARGETS = (0.8, 0.9, 0.95)
# Rows that an aggregator learns from unlabelled: more change its verdicts little, and cost time in every draw.
UNLABELLED = 2000


def concluded(data: Dataset, aggregator: str, seeds: int, seed: int) -> tuple[Calibration, FloatArray, BoolArray]:
    """One draw: the calibration, and of every other row the verdict's confidence and whether it is right."""
    order = stream(seed, "promise").permutation(len(data.panel))
    given, others = order[:seeds], order[seeds:]
    fitted, calibration = fit_calibrated(
        AGGREGATORS.load(aggregator),
        data.panel.take(given),
        data.labels[given],
        data.panel.take(others[:UNLABELLED]),
        seed,
        np.arange(seeds),
    )
    found = tempered(fitted.predict_proba(data.panel.take(others)), calibration.temperature)
    return calibration, found.max(axis=1), found.argmax(axis=1) == data.labels[others]


def kept(confidence: FloatArray, right: BoolArray, threshold: float) -> tuple[float, float]:
    """The true precision of the verdicts at the threshold or above (1 for none), and their share."""
    above = confidence >= threshold
    return (float(right[above].mean()) if above.any() else 1.0), float(above.mean())


def oracle_coverage(confidence: FloatArray, right: BoolArray, target: float) -> float:
    """The share of verdicts at the lowest threshold that keeps the target by the true labels."""
    order = np.argsort(-confidence, kind="stable")
    ends = np.append(confidence[order][:-1] > confidence[order][1:], True)
    precise = right[order].cumsum() / np.arange(1, len(right) + 1) >= target
    places = np.flatnonzero(ends & precise)
    return float(places[-1] + 1) / len(right) if len(places) else 0.0


def measure(data: Dataset, aggregator: str, draws: range, seeds: int, level: float) -> list[dict[str, Any]]:
    """One record for each draw and target."""
    made = []
    for seed in draws:
        calibration, confidence, right = concluded(data, aggregator, seeds, seed)
        for target in TARGETS:
            record: dict[str, Any] = {
                "target": target,
                "answered": False,
                "oracle": oracle_coverage(confidence, right, target),
            }
            try:
                found = threshold_for(calibration.placed, calibration.right, target, level)
            except InputError:
                pass
            else:
                precision, coverage = kept(confidence, right, found.confidence)
                record |= {"answered": True, "precision": precision, "coverage": coverage}
            made.append(record)
        print(f"{data.name}: draw {seed}, accuracy {right.mean():.3f}", file=sys.stderr, flush=True)
    return made


def summary(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The shares and means of each target."""
    table = {}
    for target in TARGETS:
        own = [record for record in records if record["target"] == target]
        answers = [record for record in own if record["answered"]]
        table[f"{target:g}"] = {
            "draws": len(own),
            "answered": round(len(answers) / len(own), 4),
            "missed": round(sum(record["precision"] < target for record in answers) / len(own), 4),
            "coverage": _mean([record["coverage"] for record in answers]),
            "oracle": _mean([record["oracle"] for record in answers]),
            "oracle_of_all": _mean([record["oracle"] for record in own]),
            "worst": round(min(record["precision"] for record in answers), 4) if answers else None,
        }
    return table


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def print_table(name: str, aggregator: str, table: dict[str, dict[str, Any]]) -> None:
    """One data set for people."""
    columns = ["draws", "answered", "missed", "coverage", "oracle", "oracle_of_all", "worst"]
    print(f"\n{name}, {aggregator}\n{'target':8s}" + "".join(f"{column:>15s}" for column in columns))
    for target, row in table.items():
        print(f"{target:8s}" + "".join(f"{'-' if row[column] is None else row[column]!s:>15s}" for column in columns))


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True, metavar="DIR")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--level", type=float, default=LEVEL)
    parser.add_argument(
        "--aggregator", default=LLMS_ALONE, help=f"(default: {LLMS_ALONE}; stored outputs have no texts)"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = sorted(options.features.glob("*_meta_x.npy"))
    if not found:
        parser.error(f"no *_meta_x.npy in {options.features}")
    tables = {}
    for path in found:
        data = read_dataset(path)
        records = measure(data, options.aggregator, range(options.draws), options.seeds, options.level)
        tables[data.name] = summary(records)
        if not options.json:
            print_table(data.name, options.aggregator, tables[data.name])
    if options.json:
        settings = {"aggregator": options.aggregator, "level": options.level, "seeds": options.seeds}
        print(json.dumps({**settings, "datasets": tables}))


if __name__ == "__main__":
    main()
