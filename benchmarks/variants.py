"""DA and PAG beside the other aggregators (the paper's Table 2), on what this machine's LLMs say of texts and variants.

    python benchmarks/variants.py --data DIR --out DIR [--models NAME ...] [--sets 3] [--pool 200] [--json]

DIR holds train.jsonl ("text", "label"). For each seed set, 50 random items are the seeds and --pool others are
labelled: a project of its own in --out, through the commands' own code, `mollia annotate` and `mollia aggregate
--aggregator METHOD`. DA learns from 3 word-level variants of each seed; PAG from 3 paraphrases, which the largest of
--models writes, and it averages over 3 paraphrases of each pool item (baselines/variants.py, augmented.py). The whole
panel reads all of them: they are the items of a second project of their own beside the first. The true labels of the
pool are read to measure, and by nothing else. What was observed is kept in --out: stopped, the same command goes on.

"same label": how often an LLM's most probable label of a seed's variant is that of the seed itself.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from baselines.augmented import augmented, averaged
from baselines.variants import PARAPHRASE, WORDS, usable_variants

from mollia_cli import Project
from mollia_cli.domain.items import content_id
from mollia_cli.domain.observations import FloatArray, Panel
from mollia_cli.domain.rng import stream, stream_seed

SEED_ITEMS = 50
# The paper's Table 2 (its "vote-based" is mean_consistency), and mollia's default.
METHODS = (
    *("single", "vote", "mean_consistency", "mean_logits", "da", "pag", "snail", "fixmatch", "mol", "molam"),
    "conditional_logit",
)
NEEDS = {"da": WORDS, "pag": PARAPHRASE}


@dataclass(frozen=True, slots=True)
class Measured:
    """One seed set: accuracy by LLM and by method; by kind of variant, how many are usable, and "same label"."""

    accuracy: dict[str, float]
    usable: dict[str, int]
    same_label: dict[str, float]


def main() -> None:
    options = parse()
    items = read(options.data / "train.jsonl")
    found = []
    for number in range(options.sets):
        found.append(measure(items, number, options))
        print(f"seed set {number}: {found[-1]}", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([{name: getattr(one, name) for name in Measured.__slots__} for one in found]))
    else:
        print(table(found))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["smollm2-135m-instruct", "qwen2.5-coder-0.5b-instruct"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--sets", type=int, default=3)
    parser.add_argument("--pool", type=int, default=200)
    parser.add_argument("--noun", default="question")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def read(path: Path) -> dict[str, str]:
    """Labels by text, in the file's order; of texts that stand there twice, the first."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        found.setdefault(record["text"], record["label"])
    return found


def measure(labels: Mapping[str, str], number: int, options: argparse.Namespace) -> Measured:
    """One seed set: annotate what is missing, aggregate by each method, and compare with the true labels."""
    names = sorted(set(labels.values()))
    texts = list(labels)
    drawn = stream(number, "variants").permutation(len(texts))[: SEED_ITEMS + options.pool]
    gold = {str(row): labels[texts[row]] for row in drawn.tolist()}
    seeds, pool = list(gold)[:SEED_ITEMS], list(gold)[SEED_ITEMS:]
    root = options.out / f"set-{number}"
    with opened(root, names, number, options) as project:
        project.import_([{"id": i, "text": texts[int(i)], "label": gold[i]} for i in seeds], "seed")
        project.import_([{"id": i, "text": texts[int(i)]} for i in pool], "pool")
        known, seen = project.annotate(split="seed"), project.annotate(split="pool")
        accuracy = {llm: right(seen.ids, seen.log_probs[:, n], gold, names) for n, llm in enumerate(seen.annotators)}
        usable, same = {}, {}
        for kind in (WORDS, PARAPHRASE):
            varied = read_variants(project, kind, known, options)
            usable[kind], same[kind] = len(varied.originals), same_label(known, varied)
        for method in options.methods:
            if method in NEEDS:
                probabilities = by_augmentation(project, method, known, seen, gold, options)
                accuracy[method] = right(seen.ids, probabilities, gold, names)
            else:
                verdicts = project.aggregate(method).verdicts
                accuracy[method] = right(verdicts.ids, verdicts.probabilities, gold, names)
    return Measured(accuracy, usable, same)


def opened(root: Path, names: Sequence[str], number: int, options: argparse.Namespace) -> Project:
    """The project of a seed set, made if there is none."""
    if (root / "mollia.toml").exists():
        project = Project.open(root)
    else:
        without = {"annotate": {"shots": 0}}  # the variants' project has no seeds to take worked examples from
        project = Project.create(
            root, names, panel=options.models, noun=options.noun, random_seed=number, settings=without
        )
    project.use_threads(options.threads)
    return project


@dataclass(frozen=True, slots=True)
class Varied:
    """What the panel says of m usable variants; originals: [m] ids of the items that they were made from."""

    panel: Panel
    originals: tuple[str, ...]


def read_variants(project: Project, kind: str, of: Panel, options: argparse.Namespace) -> Varied:
    """The usable variants of some items of a project, each read by the whole panel; what is missing is made now."""
    beside = project.root.parent
    found = usable_variants(project, kind, project.store.items.get(of.ids), beside / f"{project.root.name}-variants")
    number, names = project.settings.random_seed, project.labels.names
    with opened(beside / f"{project.root.name}-read", names, number, options) as other:
        rows = {content_id(variant.text): row for row, variant in enumerate(found)}  # of the same text, one is read
        if rows:
            other.import_([{"id": text_id, "text": found[row].text} for text_id, row in rows.items()])
        read = other.annotate(list(rows))
    places = {text_id: place for place, text_id in enumerate(rows)}
    read = read.take([places[content_id(variant.text)] for variant in found])
    return Varied(read, tuple(variant.item_id for variant in found))


def by_augmentation(
    project: Project, method: str, known: Panel, seen: Panel, gold: Mapping[str, str], options: argparse.Namespace
) -> FloatArray:
    """[n, K] probabilities of the pool items ``seen`` by DA or PAG, fitted on the seeds ``known``."""
    kind, seed = NEEDS[method], stream_seed(project.settings.random_seed, "aggregate", method)
    varied = read_variants(project, kind, known, options)
    labels = np.array([project.labels.index(gold[item_id]) for item_id in known.ids], dtype=np.int64)
    fitted = augmented(known, labels, varied.panel, varied.originals, seen, seed)
    if method == "da":
        return fitted.predict_proba(seen)
    paraphrased = read_variants(project, kind, seen, options)
    return averaged(fitted, seen, paraphrased.panel, paraphrased.originals)


def right(ids: Sequence[str], values: FloatArray, gold: Mapping[str, str], names: Sequence[str]) -> float:
    """The share of items whose label of the highest value, of [n, K], is the true one."""
    return float(np.mean([names[k] == gold[i] for i, k in zip(ids, values.argmax(axis=1).tolist(), strict=True)]))


def same_label(known: Panel, varied: Varied) -> float:
    """How often an LLM gives a variant the label of its original, over all LLMs; nan for no variants."""
    rows = {item_id: row for row, item_id in enumerate(known.ids)}
    originals = known.log_probs[[rows[item_id] for item_id in varied.originals]]
    if not len(originals):
        return float("nan")
    return float((varied.panel.log_probs.argmax(axis=2) == originals.argmax(axis=2)).mean())


def table(found: Sequence[Measured]) -> str:
    """The seed sets as a Markdown table: mean, standard deviation (n - 1) and each set."""
    lines = ["| method | accuracy | each seed set |", "|---|---|---|"]
    for method in found[0].accuracy:
        values = [one.accuracy[method] for one in found]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        each = " ".join(f"{value:.3f}" for value in values)
        lines.append(f"| {method} | {statistics.fmean(values):.3f} ± {spread:.3f} | {each} |")
    lines.append("")
    for kind in found[0].usable:
        counts, same = [one.usable[kind] for one in found], [one.same_label[kind] for one in found]
        lines.append(
            f"{kind}: {', '.join(map(str, counts))} usable variants of {SEED_ITEMS} seeds; same label"
            f" {statistics.fmean(same):.3f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
