"""LLMs and frozen encoders together: what either tells alone, the mixture's verdicts, and the classifier they train.

    python benchmarks/mixture.py --data DIR --encoders A,B [--outputs FILE.npy] [--columns NAMES] [--labels 50]
                                 [--seeds 6] [--pool N] [--out DIR] [--json]

DIR holds train.jsonl and test.jsonl ("text", "label"); `--data demo`: the demo's messages. FILE.npy: stored outputs of
LLMs, as of instead.py, whose texts, draws and methods these are. Encoders are names of `mollia models` or folders.
--out keeps embeddings. No label is read beside the --labels that are given but to measure, and for "all true labels".
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from alternatives import Answer, Draw, Material, distilled, mixture_without_llms, mollia_default
from instead import material, names, order

from mollia_cli.aggregators import AGGREGATORS, DEFAULT
from mollia_cli.domain.observations import IntArray

Way = Callable[[Material, Draw], Answer]


def labels_alone(data: Material, draw: Draw) -> Answer:
    """The classifier, by the labels that are given and nothing else."""
    nothing = np.zeros((0, len(data.labels)))
    return Answer(distilled(data, Draw(draw.given, draw.labels, draw.pool[:0], draw.number), nothing))


def llms_alone(data: Material, draw: Draw) -> Answer:
    """The default aggregator where the panel has no encoder."""
    assert data.panel is not None
    seed, pool = data.panel.take(draw.given), data.panel.take(draw.pool)
    verdicts = AGGREGATORS.load(DEFAULT)().fit(seed, draw.labels, pool, draw.number).predict_proba(pool)
    read = replace(draw, unread=draw.unread[:0])
    return Answer(distilled(data, read, verdicts), verdicts.argmax(axis=1))


def measure(data: Material, gold: IntArray, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Of each way, the mean and standard deviation over draws of accuracies (pool, test) and CPU seconds."""
    ways: dict[str, Way] = {"labels alone": labels_alone, "no LLM": mixture_without_llms}
    if data.panel is not None:
        ways |= {"LLMs alone": llms_alone, "mixture": mollia_default(shown=False)}
    table: dict[str, list[float]] = {}
    for number in range(options.seeds):
        rows = order(data.train, (), number)
        given, others = np.split(rows, [options.labels])
        draw = Draw(given, gold[given], others[: options.pool or None], number)
        for name, way in ways.items():
            begin = time.process_time()
            answer = way(data, draw)
            table.setdefault(f"CPU s: {name}", []).append(time.process_time() - begin)
            assert answer.test is not None
            table.setdefault(f"test: {name}", []).append(float((answer.test == gold[data.train :]).mean()))
            if answer.pool is not None:
                table.setdefault(f"pool: {name}", []).append(float((answer.pool == gold[draw.pool]).mean()))
    everything = labels_alone(data, Draw(rows, gold[rows], rows[:0], 0)).test
    assert everything is not None
    table["test: all true labels"] = [float((everything == gold[data.train :]).mean())]
    return {name: {"mean": float(np.mean(found)), "std": float(np.std(found))} for name, found in table.items()}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a folder, or: demo")
    parser.add_argument("--encoders", type=names, required=True, help="comma-separated; the classifier's last")
    parser.add_argument("--outputs", type=Path, metavar="FILE.npy")
    parser.add_argument("--columns", type=names, help="the labels in the order of the stored columns; sorted")
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--pool", type=int, default=0, help="texts of the pool (default: all others)")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--out", type=Path, metavar="DIR", help="keeps embeddings")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(panel=[], outputs_shots=None, shots=[])  # of instead.py's
    options = parser.parse_args()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    found = measure(*material(options), options)
    if options.json:
        print(json.dumps(found))
    else:
        for name, row in found.items():
            print(f"{name:26s} {row['mean']:.4f} +- {row['std']:.4f}")


if __name__ == "__main__":
    main()
