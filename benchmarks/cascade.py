"""What a cascade of LLMs saves and loses, on stored LLM outputs, through mollia's own `--cascade`.

    python benchmarks/cascade.py --features DIR [--data trec imdb] [--order 1 2 3 4 5] [--seeds 3]

DIR holds NAME_meta_x.npy ([n, 2N, K]: z and c of each LLM, interleaved) and NAME_meta_y.npy, which is [n] or
one-hot. For each seed 50 random rows are the seed set and --items others the pool. Counted are the LLM calls on
the pool; the true labels of the pool are read to measure, and by nothing else. One table row is one --threshold.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.rng import stream
from mollia_cli.loop.aggregate import fit_aggregator, verdicts_on
from mollia_cli.loop.cascade import ask
from mollia_cli.loop.needed import needed_for_fit
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.members import REPLAY, labelling
from mollia_cli.project.observe import annotate

SEED_ITEMS = 50
ALL = 1.0  # stands for the whole panel, asked of everything


def measure(
    x: Path, gold: np.ndarray, order: Sequence[int], threshold: float, seed: int, options: argparse.Namespace
) -> tuple[float, float, float]:
    """(share of all LLM calls, share of calls of the last LLM, accuracy) of one cascade on one draw of items."""
    rows = stream(seed, "cascade").permutation(len(gold))[: SEED_ITEMS + options.items]
    labels = LabelSet(tuple(f"label{k}" for k in range(np.load(x, mmap_mode="r").shape[2])))
    items = [
        Item(str(row), f"text {row}", "seed" if n < SEED_ITEMS else "pool", int(gold[row]))
        for n, row in enumerate(rows.tolist())
    ]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "project"
        settings = new_settings(labels, encoder="all-minilm-l6-v2", random_seed=seed)
        create(root, replace(settings, aggregate=replace(settings.aggregate, aggregator=options.aggregator)))
        with Project.open(root) as opened:
            project = opened.with_panel(labelling(opened.settings, REPLAY, str(x)))
            with project.store.transaction():
                project.store.items.add(items, "cascade")
            ids = project.store.items.ids("pool")
            names = [f"llm{n}" for n in order]
            if threshold == ALL:
                panel = annotate(project, [*needed_for_fit(project), *ids], names)
                found = verdicts_on(project, fit_aggregator(project, "", panel, ids), ids)
                calls = [len(ids)] * len(names)
            else:
                done = ask(project, names, threshold, ids)
                found, calls = done.verdicts, [stage.asked for stage in done.stages]
    right = np.mean(found.labels == gold[[int(item_id) for item_id in found.ids]])
    return sum(calls) / (len(names) * len(ids)), calls[-1] / len(ids), float(right)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--data", nargs="+", default=["trec", "imdb"])
    parser.add_argument("--order", nargs="+", type=int, default=[1, 2, 3, 4, 5], help="LLMs by number, cheapest first")
    parser.add_argument("--threshold", nargs="+", type=float, default=[0.8, 0.9, 0.95, 0.99, ALL])
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--aggregator", default="conditional_logit")
    options = parser.parse_args()
    print("| data | threshold | LLM calls | of the last LLM | accuracy |\n|---|---|---|---|---|")
    for name in options.data:
        x = options.features / f"{name}_meta_x.npy"
        gold = np.load(options.features / f"{name}_meta_y.npy")
        gold = gold.argmax(axis=1) if gold.ndim == 2 else gold
        for threshold in options.threshold:
            seeds = range(options.seeds)
            found = [measure(x, gold, options.order, threshold, seed, options) for seed in seeds]
            calls, last, right = (statistics.fmean(column) for column in zip(*found, strict=True))
            spread = statistics.stdev([row[2] for row in found]) if len(found) > 1 else 0.0
            shown = "everything asked" if threshold == ALL else f"{threshold:g}"
            print(f"| {name} | {shown} | {calls:.1%} | {last:.1%} | {right:.4f} ± {spread:.4f} |", flush=True)


if __name__ == "__main__":
    main()
