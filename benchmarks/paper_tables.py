"""The paper's Tables 2 and 3 from stored LLM outputs, without a leak.

    python benchmarks/paper_tables.py --features DIR [--texts DIR] [--encoder DIR] [--seeds 20] [--json]

For every NAME_meta_x.npy ([n, 2N, K], z and c interleaved) with NAME_meta_y.npy ([n, K] one-hot,
or [n] indices) in the features folder: 50 rows are drawn per seed, each method is fitted on them
and on all other rows without their labels, and is scored on those other rows. Nothing but
``score`` reads another label.

--texts: NAME.jsonl or NAME/*.jsonl with "text" and "meta_row" (the row of the stored features);
no other field is read. --encoder: a transformers folder whose frozen layers describe the texts.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Before numpy starts its threads: figures are CPU-seconds of one core.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from baselines.text import LinearText, embedding_features, refine, tfidf_features

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.molam import PRESETS
from mollia_cli.aggregators.negatives import DELTA, negative_labels, negative_shares
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.rng import stream

LABELS = 50
TOKENS = 128
LLMS_ALONE = "conditional_logit"  # what the mixture, the default, is on stored outputs, which have no texts
# Table 2 as printed (its trained methods are picked on the evaluation rows' labels).
PRINTED = {
    "vote": {"ag_news": 0.8247, "imdb": 0.9418, "trec": 0.7320, "pubmed": 0.6802},
    "mean_logits": {"ag_news": 0.8262, "imdb": 0.9421, "trec": 0.7113, "pubmed": 0.6802},
    "snail": {"ag_news": 0.8342, "imdb": 0.9489, "trec": 0.6903, "pubmed": 0.7199},
    "fixmatch": {"ag_news": 0.8530, "imdb": 0.9490, "trec": 0.7207, "pubmed": 0.7096},
    "mol": {"ag_news": 0.8819, "imdb": 0.9534, "trec": 0.7924, "pubmed": 0.7744},
    "molam": {"ag_news": 0.8887, "imdb": 0.9538, "trec": 0.8040, "pubmed": 0.7772},
}


@dataclass
class Dataset:
    """One stored data set. ``texts``: row -> text; ``features``: text members' features by name."""

    name: str
    panel: Panel
    labels: IntArray
    texts: dict[int, str] = field(default_factory=dict)
    features: dict[str, Any] = field(default_factory=dict)


Method = Callable[[Dataset, IntArray, IntArray, IntArray, int], IntArray]


def read_dataset(path: Path) -> Dataset:
    """A data set from its ..._meta_x.npy; ValueError for another shape."""
    name = path.name.removesuffix("_meta_x.npy")
    x = np.load(path, allow_pickle=False)
    y = np.load(path.with_name(f"{name}_meta_y.npy"), allow_pickle=False)
    if x.ndim != 3 or x.shape[1] % 2 or len(x) != len(y):
        raise ValueError(f"{path}: shape {x.shape} with labels {y.shape}, expected [n, 2N, K] with [n, K] or [n]")
    with np.errstate(divide="ignore"):
        log_probs = np.log(x[:, 0::2].astype(np.float64))
    members = tuple(f"llm{i + 1}" for i in range(x.shape[1] // 2))
    panel = Panel(tuple(str(row) for row in range(len(x))), members, log_probs, x[:, 1::2].astype(np.float64))
    return Dataset(name, panel, (y.argmax(axis=1) if y.ndim == 2 else y).astype(np.int64))


def read_texts(folder: Path, name: str) -> dict[int, str]:
    """Row -> text from NAME.jsonl or NAME/*.jsonl; empty where there is none."""
    files = [folder / f"{name}.jsonl", *sorted((folder / name).glob("*.jsonl"))]
    texts = {}
    for path in files:
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                if record.get("meta_row") is not None:
                    texts[int(record["meta_row"])] = str(record["text"])
    return texts


def text_features(texts: dict[int, str], n: int, encoder: Path | None) -> dict[str, Any]:
    """The features of the text members: words, and an encoder's layers where one is given."""
    if not texts:
        return {}
    made: dict[str, Any] = {"words": tfidf_features([texts.get(row, "") for row in range(n)])}
    if encoder is not None:
        rows = np.array(sorted(texts), dtype=np.int64)
        layers = encode([texts[row] for row in rows], encoder)
        whole = []
        for layer in layers:
            filled = np.zeros((n, layer.shape[1]), dtype=np.float32)
            filled[rows] = layer
            whole.append(filled)
        made["encoder"] = embedding_features(whole, rows)
    return made


def encode(texts: Sequence[str], folder: Path) -> list[FloatArray]:
    """Mean-pooled hidden states of every layer of a frozen encoder, each [n, d]."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    model = AutoModel.from_pretrained(str(folder), local_files_only=True).eval()
    order = np.argsort([len(text) for text in texts], kind="stable")
    pooled: list[FloatArray] = []
    for begin in range(0, len(texts), 64):
        rows = order[begin : begin + 64]
        batch = tokenizer(
            [texts[row] for row in rows], padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
        )
        mask = batch["attention_mask"][..., None]
        with torch.inference_mode():
            states = model(**batch, output_hidden_states=True).hidden_states
        for depth, state in enumerate(states):
            if len(pooled) <= depth:
                pooled.append(np.zeros((len(texts), state.shape[2]), dtype=np.float32))
            pooled[depth][rows] = ((state * mask).sum(1) / mask.sum(1)).float().numpy()
    return pooled


def draw(n: int, seed: int) -> tuple[IntArray, IntArray]:
    """The rows whose labels are given, and all others."""
    order = stream(seed, "paper tables").permutation(n)
    return order[:LABELS], order[LABELS:]


def settings_for(method: str, dataset: str) -> dict[str, Any]:
    """Table 5's hyperparameters for the paper's own methods on the paper's data sets; else the defaults."""
    if method in ("mol", "molam"):
        for name, preset in PRESETS.items():
            if dataset.startswith(name):
                return preset
    return {}


def from_features(method: str, **settings: Any) -> Method:
    """Predictions of an aggregator on the rows ``others``, given the labels of the rows ``given`` only."""

    def predict(data: Dataset, given: IntArray, labels: IntArray, others: IntArray, seed: int) -> IntArray:
        pool = data.panel.take(others)
        made = AGGREGATORS.load(method)(**{**settings_for(method, data.name), **settings})
        fitted = made.fit(data.panel.take(given), labels, pool, seed)
        return np.asarray(fitted.predict_proba(pool).argmax(axis=1), dtype=np.int64)

    return predict


def from_texts(members: Sequence[str]) -> Method:
    """The aggregator of the LLMs alone, with text members in the panel."""

    def predict(data: Dataset, given: IntArray, labels: IntArray, others: IntArray, seed: int) -> IntArray:
        rows = np.concatenate([given, others])
        models = {name: LinearText(data.features[name][rows]) for name in members}
        made = refine(
            AGGREGATORS.load(LLMS_ALONE), data.panel.take(given), labels, data.panel.take(others), models, seed
        )
        return np.asarray(made.aggregator.predict_proba(made.pool).argmax(axis=1), dtype=np.int64)

    return predict


def methods_for(data: Dataset) -> dict[str, Method]:
    """All methods that this data set has the inputs for, by name."""
    made: dict[str, Method] = {
        f"single:{member}": from_features("single", annotator=member) for member in data.panel.annotators
    }
    # without texts, those that look at them are the aggregator of the LLMs alone
    made |= {name: from_features(name) for name in AGGREGATORS if not AGGREGATORS.load(name).reads}
    names = list(data.features)
    for count in range(1, len(names) + 1):
        made["+".join([LLMS_ALONE, *names[:count]])] = from_texts(names[:count])
    return made


def score(predicted: IntArray, gold: IntArray) -> float:
    """Accuracy."""
    return float((predicted == gold).mean())


def measure(data: Dataset, methods: dict[str, Method], seeds: int) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of accuracy, and mean CPU-seconds of fit and predict, per method."""
    table = {}
    for name, method in methods.items():
        accuracies, seconds = [], []
        for seed in range(seeds):
            given, others = draw(len(data.panel), seed)
            begin = time.process_time()
            predicted = method(data, given, data.labels[given], others, seed)
            seconds.append(time.process_time() - begin)
            accuracies.append(score(predicted, data.labels[others]))
        table[name] = {
            "mean": round(float(np.mean(accuracies)), 4),
            "std": round(float(np.std(accuracies)), 4),
            "seconds": round(float(np.mean(seconds)), 3),
        }
        print(f"{data.name}: {name} {table[name]}", file=sys.stderr, flush=True)
    return table


def negatives(data: Dataset) -> dict[str, dict[str, float]]:
    """Table 3: true and false negative labels by both rules, as shares of the full label space."""
    made = {}
    for rule in ("all", "mean"):
        shares = negative_shares(negative_labels(data.panel, DELTA, rule), data.labels)
        made[rule] = {name: round(share, 5) for name, share in shares.items()}
    return made


def print_tables(datasets: dict[str, Any]) -> None:
    """Both tables for people."""
    for name, result in datasets.items():
        known = next((preset for preset in PRESETS if name.startswith(preset)), "")
        print(f"\n{name}: accuracy with {LABELS} labels (* default)")
        for method, row in result["methods"].items():
            printed = PRINTED.get(method, {}).get(known)
            beside = f"  printed {printed:.4f}" if printed else ""
            star = "*" if method == result["default"] else " "
            print(f"{star} {method:34s} {row['mean']:.4f} ± {row['std']:.4f}  {row['seconds']:7.2f} CPU-s{beside}")
        for rule, shares in result["negatives"].items():
            print(f"  negatives, rule {rule:4s}: true {shares['true']:.4f}, false {shares['false']:.5f}")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True, metavar="DIR")
    parser.add_argument("--texts", type=Path, metavar="DIR")
    parser.add_argument("--encoder", type=Path, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--methods", help="only these, comma-separated (default: all)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = sorted(options.features.glob("*_meta_x.npy"))
    if not found:
        parser.error(f"no *_meta_x.npy in {options.features}")
    print("not measured: DA and PAG, which need varied texts (benchmarks/variants.py)", file=sys.stderr)
    datasets = {}
    for path in found:
        data = read_dataset(path)
        if options.texts:
            data.texts = read_texts(options.texts, data.name)
            data.features = text_features(data.texts, len(data.panel), options.encoder)
        methods = methods_for(data)
        default = list(methods)[-1] if data.features else LLMS_ALONE
        if options.methods:
            methods = {name: methods[name] for name in options.methods.split(",") if name in methods}
        datasets[data.name] = {
            "default": default,
            "methods": measure(data, methods, options.seeds),
            "negatives": negatives(data),
        }
    if options.json:
        print(json.dumps({"datasets": datasets}))
    else:
        print_tables(datasets)


if __name__ == "__main__":
    main()
