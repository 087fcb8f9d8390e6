"""The paper's learning curves (Figs. 4, 5, 7, 10, 11) from stored LLM outputs, through mollia's own runs.

    python benchmarks/paper_curves.py --data DIR --outputs FILE.npy --labels A,B,C --encoder DIR --out DIR

The labels stand in the order of the stored outputs' columns. DIR holds train.jsonl ("text", "label",
"meta_row": the row of the stored outputs [n, 2N, K]) and test.jsonl. For each seed a project is made in
--out: 50 training items are the seed set, the others with stored outputs the pool. Each cell (strategy,
annotator, variant, seed) is one run of it; a cell that is finished is read, one that was stopped goes on.
No gold label is read beyond the 50, but by the oracle and to measure.

--annotators: mollia (Eqs. 7-9 on the verdicts of --aggregator), distil (the method of that name),
oracle, vote, mean_logits, llm1, llm2, ...; the last five train plainly. --variants, of mollia: A
(all of it), B (no discrepancy), C (no negatives), D (neither), alpha=0.3, lambda=0.4-1. --rounds 1
--batch 500 is a tenth of the work of ten rounds of 50, and as many random items.
"""

import argparse
import csv
import json
import os
import shutil
import statistics
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.annotators import ANNOTATORS
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Panel
from mollia_cli.domain.rng import stream
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import ablations, open_run
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.reports.curves import Line, curves_svg
from mollia_cli.strategies import STRATEGIES
from mollia_cli.strategies.base import Signals

SEED_ITEMS = 50
ABLATIONS = {"A": (False, False), "B": (False, True), "C": (True, False), "D": (True, True)}


@dataclass(frozen=True)
class Cell:
    """One curve of one seed."""

    strategy: str
    annotator: str
    variant: str
    seed: int

    @property
    def curve(self) -> str:
        """The run's name: everything but the seed."""
        return "-".join(part for part in (self.strategy, self.annotator, self.variant) if part)


def variant_changes(variant: str) -> dict[str, float]:
    """A variant as changes of a run's setup."""
    if variant in ABLATIONS:
        return ablations(*ABLATIONS[variant])
    key, _, value = variant.partition("=")
    if key == "alpha":
        return {"alpha": float(value)}
    if key == "lambda":
        start, _, end = value.partition("-")
        return {"lambda_start": float(start), "lambda_end": float(end)}
    raise SystemExit(f"no variant is called {variant!r}: A, B, C, D, alpha=0.3 or lambda=0.4-1")


def run_options(cell: Cell, options: argparse.Namespace) -> dict[str, Any]:
    """The changes of the setup that make a run this cell."""
    common = {
        "method": "mollia",
        "strategy": cell.strategy,
        "rounds": options.rounds,
        "batch": options.batch,
        "pool_sample": options.pool_sample,
    }
    if cell.annotator == "oracle":
        return {**common, "annotator": "oracle"}
    if cell.annotator == "mollia":
        return {**common, "replay": options.outputs, "aggregator": options.aggregator, **variant_changes(cell.variant)}
    if cell.annotator == "distil":
        return {**common, "replay": options.outputs, "aggregator": options.aggregator, "method": "distil"}
    plain = {**common, **ablations(no_negatives=True, no_discrepancy=True)}
    if cell.annotator in AGGREGATORS:
        return {**plain, "replay": options.outputs, "aggregator": cell.annotator}
    return {**plain, "replay": one_llm(options, cell.annotator), "aggregator": "vote"}


def one_llm(options: argparse.Namespace, name: str) -> Path:
    """The stored outputs of one LLM alone (llm1, llm2, ...), as a file of their own."""
    path: Path = options.out / f"{name}.npy"
    if not path.is_file():
        member = int(name.removeprefix("llm")) - 1
        np.save(path, np.load(options.outputs, mmap_mode="r")[:, 2 * member : 2 * member + 2])
    return path


def read_items(options: argparse.Namespace) -> tuple[LabelSet, list[Item], list[Item]]:
    """Labels, training items that have stored outputs (their ids are the rows), test items; no text twice."""
    train, test = (
        [json.loads(line) for line in (options.data / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()]
        for part in ("train", "test")
    )
    labels = LabelSet(tuple(options.labels))
    held = {row["text"] for row in test}
    kept = {r["text"]: r for r in train if r.get("meta_row") is not None and r["text"] not in held}
    pool = [Item(str(r["meta_row"]), r["text"], "pool", labels.index(r["label"])) for r in kept.values()]
    unique = {row["text"]: row for row in test}.values()
    return labels, pool, [Item(f"t{n}", r["text"], "test", labels.index(r["label"])) for n, r in enumerate(unique)]


def choose_seeds(pool: Sequence[Item], labels: LabelSet, seed: int, options: argparse.Namespace) -> set[int]:
    """Positions of the seed items: random, or the typical ones of the panel's regions (strategy ``seed``)."""
    rng = stream(seed, "paper curves", options.seeding)
    if options.seeding == "random":
        return {int(row) for row in rng.permutation(len(pool))[:SEED_ITEMS]}
    members = ANNOTATORS.load("replay").panel(options.outputs, labels)
    said = {m.name: {o.item_id: o for batch in m.annotate(pool) for o in batch} for m in members}
    ids = tuple(item.id for item in pool)
    signals = Signals(ids, panel=Panel.stack(ids, said, len(labels)).probabilities)
    chosen = {pick.id for pick in STRATEGIES.load("seed")().select(signals, SEED_ITEMS, rng)}
    return {row for row, item_id in enumerate(ids) if item_id in chosen}


def prepare(options: argparse.Namespace, seed: int) -> Path:
    """The project of a seed, made whole at its first use."""
    root: Path = options.out / f"seed-{seed}"
    if root.exists():
        return root
    labels, pool, test = read_items(options)
    chosen = choose_seeds(pool, labels, seed, options)
    making = root.with_suffix(".part")
    shutil.rmtree(making, ignore_errors=True)
    settings = new_settings(labels, encoder=str(options.encoder.resolve()), random_seed=seed)
    aggregate = replace(settings.aggregate, unlabelled=len(pool))
    create(
        making, replace(settings, aggregate=aggregate, learner=replace(settings.learner, name="transformer", threads=1))
    )
    items = [replace(item, split="seed") if row in chosen else item for row, item in enumerate(pool)]
    with Project.open(making) as project, project.store.transaction():
        project.store.items.add([*items, *test], "paper curves")
    making.rename(root)
    return root


def run_cell(cell: Cell, options: argparse.Namespace) -> Cell:
    """Run a cell to its end, from where it is; its models are removed then."""
    root = options.out / f"seed-{cell.seed}"
    with Project.open(root) as project:
        run, setup = open_run(project, cell.curve, **run_options(cell, options))
        run_rounds(project, run, setup, options.rounds)
        shutil.rmtree(project.models_folder / run, ignore_errors=True)
    return cell


def rounds_of(cell: Cell, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The finished rounds of a cell."""
    with Project.open(options.out / f"seed-{cell.seed}") as project:
        records = [record for record in project.store.runs.rounds(cell.curve) if record.metrics is not None]
    return [
        {**asdict(cell), "round": r.number, "seconds": sum(r.seconds.values()), **(r.metrics or {})} for r in records
    ]


def cells(options: argparse.Namespace) -> Iterator[Cell]:
    """Every cell asked for, one seed after the other."""
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for strategy in options.strategies:
            for annotator in options.annotators:
                for variant in options.variants if annotator == "mollia" else [""]:
                    yield Cell(strategy, annotator, variant, seed)


def write(rows: Sequence[dict[str, Any]], options: argparse.Namespace) -> None:
    """curves.json, curves.csv and a picture for each strategy."""
    (options.out / "curves.json").write_text(json.dumps({"rounds": rows}, indent=1), encoding="utf-8")
    columns = ["strategy", "annotator", "variant", "seed", "round", "labelled", "test_micro_f1", "verdict_accuracy"]
    with (options.out / "curves.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, [*columns, "seconds"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    for strategy in options.strategies:
        lines = []
        own = sorted((r for r in rows if r["strategy"] == strategy), key=lambda r: (curve_of(r), r["labelled"]))
        for name, curve in groupby(own, curve_of):
            points = [(labelled, *spread(group)) for labelled, group in groupby(curve, lambda r: float(r["labelled"]))]
            lines.append(Line(name, points))
        picture = curves_svg(lines, f"{strategy}: test micro-F1", "labelled items", "micro-F1")
        (options.out / f"curves-{strategy}.svg").write_text(picture, encoding="utf-8")


def curve_of(row: dict[str, Any]) -> str:
    return " ".join(part for part in (row["annotator"], row["variant"]) if part)


def spread(rows: Iterator[dict[str, Any]]) -> tuple[float, float]:
    """Mean and standard deviation of micro-F1 over seeds."""
    values = [row["test_micro_f1"] for row in rows]
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def show(rows: Sequence[dict[str, Any]], options: argparse.Namespace) -> None:
    """After the last round: mean and spread of each curve, and what it is behind the oracle on the same seeds."""
    last = {(r["strategy"], curve_of(r), r["seed"]): r for r in rows if r["round"] == options.rounds}
    print(f"{'strategy':16}{'annotator':16}{'seeds':>6}{'verdicts':>10}{'micro-F1':>18}{'behind oracle':>15}")
    for strategy, name in dict.fromkeys((s, n) for s, n, _ in last):
        mine = {seed: row for (s, n, seed), row in last.items() if (s, n) == (strategy, name)}
        mean, deviation = spread(iter(mine.values()))
        right = statistics.fmean(row["verdict_accuracy"] for row in mine.values())
        pairs = [
            last[strategy, "oracle", seed]["test_micro_f1"] - row["test_micro_f1"]
            for seed, row in mine.items()
            if (strategy, "oracle", seed) in last
        ]
        behind = f"{100 * statistics.fmean(pairs):.1f} points" if pairs and name != "oracle" else ""
        print(f"{strategy:16}{name:16}{len(mine):6}{right:10.3f}{mean:10.3f} ± {deviation:.3f}{behind:>15}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "outputs", "encoder", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--labels", type=names, required=True, help="comma-separated, as the stored columns")
    parser.add_argument("--strategies", type=names, default=["random"], help="comma-separated")
    parser.add_argument("--annotators", type=names, default=["mollia", "oracle"], help="comma-separated")
    parser.add_argument("--variants", type=names, default=["A"], help="comma-separated")
    parser.add_argument("--aggregator", default="conditional_logit", help="mollia's")
    parser.add_argument("--seeding", choices=["random", "panel"], default="random", help="how the 50 are chosen")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--pool-sample", type=int, default=0, help="candidates looked at in a round; 0: all")
    parser.add_argument("--jobs", type=int, default=1, help="cells at the same time")
    return parser.parse_args()


def names(value: str) -> list[str]:
    return [name for name in value.split(",") if name]


def main() -> None:
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ["MOLLIA_HOME"] = str(options.out / "home")  # what is installed on this machine plays no part
    wanted = list(cells(options))
    for seed in dict.fromkeys(cell.seed for cell in wanted):
        prepare(options, seed)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as processes:
        for cell in processes.map(run_cell, wanted, [options] * len(wanted)):
            print(f"{cell.curve}, seed {cell.seed}: done", file=sys.stderr, flush=True)
    rows = [row for cell in wanted for row in rounds_of(cell, options)]
    write(rows, options)
    show(rows, options)


if __name__ == "__main__":
    main()
