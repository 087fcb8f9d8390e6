"""LLMs and frozen encoders together: verdicts on the pool, and the classifier that they train.

    python benchmarks/mixture.py --data DIR --encoders A,B [--outputs FILE.npy] [--labels 50] [--seeds 6]
                                 [--pool N] [--read N] [--cache DIR] [--json]

DIR holds train.jsonl and test.jsonl with text and label. FILE.npy: [n, 2N, K], z and c of each LLM, interleaved, with
..._meta_y.npy beside it, for the rows that train.jsonl names by "meta_row". The LLMs have read the first --read texts
of each draw's pool, which --pool limits. Encoders are transformers folders. Nothing but ``score`` reads a label beside
the --labels that are given, and "test: all true labels".
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

# Before numpy starts its threads: figures are CPU-seconds of one core.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from paper_tables import encode, read_dataset, score

from mollia_cli.aggregators.mixture import Mixture, held_out, panel_logit, panel_opinions
from mollia_cli.aggregators.views import View
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.rng import stream

SHALLOW = 8  # so many layers of an encoder are all taken


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def embedded(texts: list[str], encoder: Path, cache: Path | None) -> list[FloatArray]:
    """The layers that are used, from the cache where they are there."""
    stored = cache / f"{encoder.name}.npy" if cache else None
    if stored and stored.is_file():
        return list(np.load(stored, mmap_mode="r"))
    layers = encode(texts, encoder)
    if len(layers) > SHALLOW:  # every second one of the upper two thirds, for memory
        layers = layers[len(layers) // 3 :: 2]
    if stored:
        np.save(stored, np.stack(layers).astype(np.float16))
    return layers


def measure(
    view: FloatArray, test: FloatArray, gold: IntArray, truth: IntArray, panel: Panel | None, options: Any
) -> Any:
    """Accuracies of every draw: on the pool (read and not read) and on the test texts."""
    table: list[dict[str, float]] = []
    classes = int(max(gold.max(), truth.max())) + 1
    for seed in range(options.seeds):
        order = stream(seed, "mixture").permutation(len(gold))
        n = options.labels
        given, others = order[:n], order[n : n + options.pool] if options.pool else order[n:]
        rows, labels, pool_truth = np.concatenate([given, others]), gold[given], gold[others]
        row: dict[str, float] = {}
        begin = time.process_time()
        alone = Mixture(rounds=1).fit(view[rows], labels, classes)
        row["labels alone"], row["test: labels alone"] = (
            score(alone.pool.argmax(axis=1), pool_truth),
            score(alone.predict_proba(test).argmax(axis=1), truth),
        )
        without = Mixture().fit(view[rows], labels, classes)
        row["encoders, no LLM"] = score(without.pool.argmax(axis=1), pool_truth)
        row["test: encoders, no LLM"] = score(without.predict_proba(test).argmax(axis=1), truth)
        if panel is not None:
            seen = others[: options.read or len(others)]
            begin = time.process_time()
            said = panel_opinions(panel_logit, panel.take(given), labels, panel.take(seen), seed)
            row["LLMs alone"] = score(said[n:].argmax(axis=1), gold[seen])
            mixed = Mixture().fit(view[rows], labels, classes, said)
            row["CPU s"] = time.process_time() - begin
            row["mixture"] = score(mixed.pool[: len(seen)].argmax(axis=1), gold[seen])
            if len(seen) < len(others):
                row["mixture, not read"] = score(mixed.pool[len(seen) :].argmax(axis=1), gold[others[len(seen) :]])
            row["test: mixture"] = score(mixed.predict_proba(test).argmax(axis=1), truth)
            begin = time.process_time()
            held = held_out(Mixture(), view[rows], labels, classes, seed, panel.take(given), panel.take(seen))
            row["said by held-out labels"] = score(held.argmax(axis=1), labels)
            row["CPU s of holding out"] = time.process_time() - begin
        whole = np.concatenate([given, others])
        row["test: all true labels"] = score(
            Mixture(rounds=1).fit(view[whole], gold[whole], classes).predict_proba(test).argmax(axis=1), truth
        )
        table.append(row)
    return {
        name: {
            "mean": round(float(np.mean([r[name] for r in table])), 4),
            "std": round(float(np.std([r[name] for r in table])), 4),
        }
        for name in table[0]
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--encoders", required=True, metavar="A,B")
    parser.add_argument("--outputs", type=Path, metavar="FILE.npy")
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--pool", type=int, default=0, help="texts of the pool (default: all others)")
    parser.add_argument("--read", type=int, default=0, help="of them the LLMs have read so many (default: all)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="embeddings by encoder name; made where absent")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    train, test = read(options.data / "train.jsonl"), read(options.data / "test.jsonl")
    names = sorted({str(record["label"]) for record in train})
    panel = None
    if options.outputs:
        stored = read_dataset(options.outputs)
        rows = np.array([record["meta_row"] for record in train], dtype=np.int64)
        panel = stored.panel.take(rows)
        gold = stored.labels[rows]
        names = [train[int(np.flatnonzero(gold == k)[0])]["label"] for k in range(stored.panel.classes)]
    gold, truth = (np.array([names.index(record["label"]) for record in part]) for part in (train, test))
    texts = [str(record["text"]) for record in [*train, *test]]
    layers = [embedded(texts, Path(encoder), options.cache) for encoder in options.encoders.split(",")]
    begin = time.process_time()
    view = View.fit([[layer[: len(train)] for layer in encoder] for encoder in layers])
    both = view(layers)
    seconds = time.process_time() - begin
    found = measure(both[: len(train)], both[len(train) :], gold, truth, panel, options)
    found["CPU s of the view"] = {"mean": round(seconds, 2), "std": 0.0}
    if options.json:
        print(json.dumps(found))
    else:
        for name, row in found.items():
            print(f"{name:26s} {row['mean']:.4f} +- {row['std']:.4f}")


if __name__ == "__main__":
    main()
