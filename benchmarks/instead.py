"""What a user would pick instead, on the same texts, labels and machine, beside mollia: labels saved.

    python benchmarks/instead.py --data DIR --encoders A,B [--panel NAMES | --outputs FILE.npy] [--labels 50,100,200]
        [--seeds 20] [--draws-slow 5] [--methods NAMES] [--out DIR] [--picture FILE.svg] [--json]

DIR holds train.jsonl and test.jsonl ("text", "label"); `--data demo`: the demo's messages. For each draw, random
training texts are labelled; the LLMs also read --pool others without their labels, and what is semi-supervised as many
as mollia's encoders do by default (aggregate.embedded). No other label is read but to measure. --outputs: stored
outputs [n, 2N, K] (z and c of each LLM, columns in the order of --columns), rows by "meta_row"; --outputs-shots: the
same with worked examples in the prompt, which are the training rows --shots. --panel: installed LLMs, which read
everything, without and with worked examples: at most six of the first twelve labels of each draw (the same in all),
each half of the texts with those of the other. Encoders are names of `mollia models` or folders.

Times: a method's own, the embedding of all texts where it needs one, and the LLMs' reading where it was done here.
--out keeps texts' embeddings, readings and every finished cell; stopped, the same command goes on.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

# Before numpy starts its threads: figures are CPU-seconds of one core.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from alternatives import OWN, Draw, Embedded, Material, Method, catalogue, embed
from labels_saved import Saved, labels_saved, labels_saved_svg

from mollia_cli import Project
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.metrics import macro_f1, micro_f1
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.rng import stream
from mollia_cli.domain.settings import AggregateSettings
from mollia_cli.machine.demo import NOUN, TASK, demo_labels, demo_messages
from mollia_cli.models import resolve_encoder

SHOTS = 6  # of each half
AT_ONCE = 60  # texts that are read between two looks at the clock
Row = dict[str, Any]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a folder, or: demo")
    parser.add_argument("--encoders", type=names, required=True, help="comma-separated; the best one last")
    panel = parser.add_mutually_exclusive_group()
    panel.add_argument("--panel", type=names, default=[], help="installed LLMs, comma-separated")
    panel.add_argument("--outputs", type=Path, metavar="FILE.npy")
    parser.add_argument("--outputs-shots", type=Path, metavar="FILE.npy")
    parser.add_argument("--shots", type=counts, default=[], help="the rows that --outputs-shots was shown")
    parser.add_argument("--columns", type=names, help="the labels in the order of the stored columns; sorted")
    parser.add_argument("--labels", type=counts, default=[50, 100, 200])
    parser.add_argument("--seeds", type=int, default=20, help="draws of what is cheap")
    parser.add_argument("--draws-slow", type=int, default=5)
    parser.add_argument("--pool", type=int, default=1000, help="texts without a label that are read in a draw")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--noun", default="text", help="for --panel")
    parser.add_argument("--methods", type=names, default=[], help="names, or what stands before the colon")
    parser.add_argument("--out", type=Path, metavar="DIR")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def names(value: str) -> list[str]:
    return [name for name in value.split(",") if name]


def counts(value: str) -> list[int]:
    return [int(name) for name in names(value)]


def material(options: argparse.Namespace) -> tuple[Material, IntArray]:
    """The texts with what is known of them without a label, and their labels, for measuring."""
    if options.data == "demo":
        records = demo_messages()
        train, test = (
            [r for r in records if r["split"] in ("seed", "pool")],
            [r for r in records if r["split"] == "test"],
        )
        labels = demo_labels()
    else:
        train, test = (read(Path(options.data) / f"{part}.jsonl") for part in ("train", "test"))
        labels = LabelSet(tuple(options.columns or sorted({r["label"] for r in train})))
    test = list({r["text"]: r for r in test}.values())
    held = {r["text"] for r in test}
    train = list({r["text"]: r for r in train if r["text"] not in held}.values())
    if options.outputs or options.outputs_shots:
        train = [r for r in train if r.get("meta_row") is not None]
    texts = [r["text"] for r in [*train, *test]]
    gold = np.array([labels.index(r["label"]) for r in [*train, *test]], dtype=np.int64)
    folders = [Path(name) if Path(name).is_dir() else resolve_encoder(name) for name in options.encoders]
    data = Material(
        labels, texts, len(train), {Path(name).name: f for name, f in zip(options.encoders, folders, strict=True)}
    )
    data.embedded = {
        name: embedded(kept(options, f"frozen-{name}", partial(embed, texts, folder, options.tokens)))
        for name, folder in data.encoders.items()
    }
    if options.outputs or options.outputs_shots:
        rows = [int(r["meta_row"]) for r in train]
        if options.outputs:
            data.panel = stored(options.outputs, rows)
        if options.outputs_shots:
            data.shown = stored(options.outputs_shots, rows)
            data.shots = data.unread = tuple(rows.index(row) for row in options.shots)
    elif options.panel:
        data.shots = tuple(int(row) for row in order(len(train), (), 0)[: 2 * SHOTS])
        for shots in (data.shots, ()):
            z, c, seconds = kept(options, f"read-{len(shots)}", partial(ask, data, gold, shots, options))
            seen = Panel(tuple(map(str, range(len(texts)))), tuple(options.panel), z, c)
            both = seen.take(np.arange(len(train))), seen.take(np.arange(len(train), len(texts)))
            data.reading[bool(shots)] = float(seconds[0]), float(seconds[1])
            if shots:
                data.shown, data.shown_test = both
            else:
                data.panel, data.test_panel = both
    return data, gold


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def kept(options: argparse.Namespace, name: str, make: Callable[[], list[FloatArray]]) -> list[FloatArray]:
    """Arrays from --out, made and written there where they are not."""
    path = options.out / f"{name}.npz" if options.out else None
    if path is None or not path.is_file():
        made = make()
        if path is None:
            return made
        np.savez(path, *made)
    with np.load(path, allow_pickle=False) as found:
        return [found[f"arr_{number}"] for number in range(len(found))]


def embedded(arrays: Sequence[FloatArray]) -> Embedded:
    """Of the arrays that ``embed`` gives."""
    sentences, thirds, seconds = arrays
    of_sentences, of_thirds = ((float(wall), float(cpu)) for wall, cpu in seconds)
    return Embedded(sentences, thirds, of_sentences, of_thirds)


def stored(path: Path, rows: Sequence[int]) -> Panel:
    """The LLMs of a file [n, 2N, K] on some of its rows."""
    x = np.load(path, mmap_mode="r", allow_pickle=False)[rows].astype(np.float64)
    with np.errstate(divide="ignore"):
        log_probs = np.log(x[:, 0::2])
    members = tuple(f"llm{n + 1}" for n in range(x.shape[1] // 2))
    return Panel(tuple(map(str, range(len(rows)))), members, log_probs, x[:, 1::2])


def ask(data: Material, gold: IntArray, shots: Sequence[int], options: argparse.Namespace) -> list[FloatArray]:
    """[log-probabilities, votes, [wall, CPU] seconds] of installed LLMs on all texts; shots: rows with examples."""
    described = dict(zip(data.labels.names, data.labels.descriptions, strict=True))
    words = {"noun": NOUN, "task": TASK} if options.data == "demo" else {"noun": options.noun}
    rows = [str(row) for row in range(len(data.texts))]
    with tempfile.TemporaryDirectory() as work:
        root = (options.out or Path(work)) / f"project-{len(shots)}"
        clock = root / "seconds.json"
        if not clock.is_file():
            asked = {"annotate": {"shots": min(SHOTS, len(shots))}}
            with Project.create(root, described, panel=options.panel, settings=asked, **words) as project:
                seeds = [{"id": str(r), "text": data.texts[r], "label": data.labels.names[gold[r]]} for r in shots]
                project.import_(seeds, "seed") if seeds else None
                project.import_([{"id": r, "text": data.texts[int(r)]} for r in rows if int(r) not in shots], "pool")
            clock.write_text("[0, 0]")
        with Project.open(root) as project:
            project.use_threads(1)
            for start in range(0, len(rows), AT_ONCE):
                begin = time.perf_counter(), time.process_time()
                project.annotate(rows[start : start + AT_ONCE])
                wall, cpu = json.loads(clock.read_text())
                spent = wall + time.perf_counter() - begin[0], cpu + time.process_time() - begin[1]
                clock.write_text(json.dumps(spent))
                print(f"read {start + AT_ONCE} of {len(rows)}: {spent[0]:.0f} s", file=sys.stderr, flush=True)
            panel = project.annotate(rows)
    return [panel.log_probs, panel.votes, np.array(spent)]


def order(n: int, first: Sequence[int], draw: int) -> IntArray:
    """The training rows of a draw in the order in which they are labelled."""
    rows = stream(draw, "instead").permutation(n)
    return np.concatenate([np.array(first, dtype=np.int64), rows[~np.isin(rows, first)]])


def chosen(methods: dict[str, Method], options: argparse.Namespace) -> dict[str, Method]:
    """The methods asked for, by name or by what stands before the colon; else all that need not be named."""
    wanted = set(options.methods)
    return {n: m for n, m in methods.items() if (wanted & {n, n.split(":")[0]} if wanted else not m.asked)}


def run(methods: dict[str, Method], data: Material, gold: IntArray, options: argparse.Namespace) -> Iterator[Row]:
    """Every cell: read where --out has it, else measured and written there."""
    path = options.out / "cells.jsonl" if options.out else None
    lines = path.read_text(encoding="utf-8").splitlines() if path and path.is_file() else []
    known = {(row["method"], row["labels"], row["draw"]): row for row in map(json.loads, lines)}
    for name, labels, number in planned(methods, data.train, options):
        row = known.get((name, labels, number))
        if row is None:
            row = {
                "method": name,
                "labels": labels,
                "draw": number,
                **measure(methods[name], data, gold, labels, number, options.pool),
            }
            print(row, file=sys.stderr, flush=True)
            if path:
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
        yield row


def planned(methods: dict[str, Method], train: int, options: argparse.Namespace) -> Iterator[tuple[str, int, int]]:
    """(method, labels, draw): of all labels there is one draw."""
    for name, method in methods.items():
        wanted = {train} if name.startswith("oracle") else {n for n in (*options.labels, *method.curve) if n < train}
        if method.curve and not method.slow:
            wanted.add(train)
        for labels in sorted(wanted):
            draws = 1 if labels == train else options.draws_slow if method.slow else options.seeds
            yield from ((name, labels, number) for number in range(draws))


def measure(method: Method, data: Material, gold: IntArray, labels: int, number: int, pool: int) -> Row:
    """Accuracy on test and pool, macro-F1 on test; wall and CPU seconds, with those of what it needs."""
    rows = order(data.train, data.shots, number)
    others = rows[labels:]
    unread = others[pool : AggregateSettings().embedded]
    draw = Draw(rows[:labels], gold[rows[:labels]], others[:pool], number, unread)
    begin = time.perf_counter(), time.process_time()
    answer = method.run(data, draw)
    spent = time.perf_counter() - begin[0], time.process_time() - begin[1]
    before = [data.embedded[name].seconds for name in method.encoders]
    before += [data.embedded[name].seconds_of_thirds for name in method.thirds]
    before += [data.reading[shown] for shown in method.reads if shown in data.reading]
    wall, cpu = (own + sum(one[k] for one in before) for k, own in enumerate(spent))
    row: Row = {"wall": round(wall, 2), "cpu": round(cpu, 2)}
    if answer.test is not None:
        true = gold[data.train :]
        row |= {"accuracy": micro_f1(true, answer.test), "macro_f1": macro_f1(true, answer.test, len(data.labels))}
    if answer.pool is not None and len(draw.pool):
        row |= {"pool_accuracy": micro_f1(gold[draw.pool], answer.pool)}
    return row


def values(rows: Sequence[Row], method: str, labels: int, key: str) -> list[float]:
    return [row[key] for row in rows if row["method"] == method and row["labels"] == labels and key in row]


def curves(rows: Sequence[Row], methods: Sequence[str]) -> dict[str, dict[int, list[float]]]:
    """Test accuracies of each method by number of labels."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        if row["method"] in methods and "accuracy" in row:
            found.setdefault(row["method"], {}).setdefault(row["labels"], []).append(row["accuracy"])
    return found


def headline(rows: Sequence[Row], methods: dict[str, Method], labels: int, own: bool) -> Saved | None:
    """Labels saved beside the alternatives without an LLM; None where either side was not measured.

    own: mollia's own mixture without LLMs is one of them.
    """
    mollia = values(rows, "mollia", labels, "accuracy")
    others = [name for name, m in methods.items() if not (m.reads or m.asked) and (own or name != OWN)]
    alternatives = curves(rows, others)
    return labels_saved(alternatives, mollia, labels) if mollia and alternatives else None


def sentence(saved: Saved | None, most: int, own: bool) -> str:
    """The headline in words."""
    beside = f"{'with' if own else 'without'} our own mixture of encoders among the alternatives"
    if saved is None:
        return f"labels saved, {beside}: not known, because mollia or every alternative without an LLM was left out"
    ends = [amount(n, saved.labels, most) for n in saved.interval]
    return (
        f"labels saved, {beside}: mollia has {saved.target:.3f} with {saved.labels} labels; the best without an LLM,"
        f" {saved.method}, needs {amount(saved.needed, saved.labels, most)} (95% interval {ends[0]} to {ends[1]})"
    )


def amount(needed: float, labels: int, most: int) -> str:
    """A number of labels; of what was reached with the fewest that were tried it is not known how few would do."""
    return f"more than {most}" if math.isinf(needed) else f"{needed:.0f}{' or fewer' if needed <= labels else ''}"


def tables(rows: Sequence[Row], counted: Sequence[int], data: Material) -> str:
    """A Markdown table for each number of labels, all of them last: means and 95% intervals over draws."""
    lines: list[str] = []
    for labels in [*counted, data.train]:
        lines += ["", f"{labels} labels" + (" (all)" if labels == data.train else ""), ""]
        lines += [
            "| method | draws | test accuracy | macro-F1 | pool accuracy | wall s | CPU s |",
            "|---|---|---|---|---|---|---|",
        ]
        for method in dict.fromkeys(row["method"] for row in rows if row["labels"] == labels):
            cells = [interval(values(rows, method, labels, key)) for key in ("accuracy", "macro_f1", "pool_accuracy")]
            seconds = [f"{np.mean(values(rows, method, labels, key)):.1f}" for key in ("wall", "cpu")]
            draws = len(values(rows, method, labels, "wall"))
            lines.append(f"| {' | '.join([method, str(draws), *cells, *seconds])} |")
    return "\n".join(lines) + "\n"


def interval(found: Sequence[float]) -> str:
    """Mean and half the width of its 95% interval (Student's t)."""
    if not found:
        return ""
    if len(found) == 1:
        return f"{found[0]:.3f}"
    from scipy.stats import t

    half = t.ppf(0.975, len(found) - 1) * np.std(found, ddof=1) / np.sqrt(len(found))
    return f"{np.mean(found):.3f} ± {half:.3f}"


def main() -> None:
    options = parse()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    data, gold = material(options)
    every = catalogue(tuple(data.encoders), options.tokens, data.panel is not None, data.shown is not None)
    methods = chosen(every, options)
    rows = list(run(methods, data, gold, options))
    saved = {own: headline(rows, methods, options.labels[0], own) for own in (False, True)}
    drawn = saved[True]
    if options.picture and drawn:
        others = curves(rows, [name for name, method in methods.items() if not (method.reads or method.asked)])
        picture = labels_saved_svg(drawn, others, f"Test accuracy by labels: {Path(options.data).name}")
        options.picture.write_text(picture, encoding="utf-8")
    if options.json:
        found = {"with_own" if own else "without_own": one and asdict(one) for own, one in saved.items()}
        print(json.dumps({"cells": rows, "saved": found}))
    else:
        print(tables(rows, options.labels, data))
        for own, one in saved.items():
            print(sentence(one, data.train, own))


if __name__ == "__main__":
    main()
