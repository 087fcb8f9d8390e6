"""``mollia demo``: the whole job on the data that ships with mollia, beside what labels alone would have done."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np

from mollia_cli import models
from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.items import SPLITS
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.printable import count
from mollia_cli.domain.rng import stream
from mollia_cli.learners.base import Examples, join
from mollia_cli.learners.head import Scaling, choose_ridge, fit_head
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.encoders import panel_texts
from mollia_cli.project.ingest import ingest
from mollia_cli.project.labels import gold_labels
from mollia_cli.project.observe import members, observed_by_all, stack, unobserved
from mollia_cli.project.panel import examples_in_turn
from mollia_cli.store.runs import Round

LLM = "qwen2.5-coder-1.5b-instruct"
ENCODERS = ("all-mpnet-base-v2", "all-minilm-l6-v2")
# So many that the whole demo takes less than three minutes on two cores.
ROUNDS, BATCH, UNLABELLED, SHOTS = 2, 50, 0, 6
DRAWS = 5
SIZES = (50, 100, 200, 300, 400)
NOUN = "message"
TASK = "Determine what the front office of the clinic has to deal with in this message."
LABELS = {
    "appointment": "book, move, cancel or confirm a visit or call",
    "prescription": "medicines, repeats, pharmacy problems",
    "results": "lab tests, scans and screening, and what they mean",
    "billing": "invoices, fees, insurance claims, refunds",
    "documents": "sick notes, referrals, forms, certificates, records",
    "complaint": "unhappy with staff, waiting, service or premises",
}


@dataclass(frozen=True, slots=True)
class Line:
    """Who learned from how many labels, and the test accuracy: its mean and, over several ``draws``, its deviation."""

    name: str
    labels: int
    accuracy: float
    deviation: float | None
    draws: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The project's way beside what labels alone would have done, on the same texts.

    needed: labels without an LLM that reach mollia's accuracy, read off the best encoder's curve by straight lines;
    None: more than all.
    """

    lines: tuple[Line, ...]
    needed: int | None


def demo_labels() -> LabelSet:
    """The six labels with their descriptions."""
    return LabelSet(tuple(LABELS), tuple(LABELS.values()))


def demo_messages() -> list[dict[str, str]]:
    """The 690 messages: text, label and split."""
    text = (resources.files("mollia_cli.demo") / "messages.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def make_demo_project(folder: Path, say: Callable[[str], None]) -> Project:
    """A project with the demo's labels, panel and data; missing models raise NotFoundError."""
    missing = [name for name in (LLM, *ENCODERS) if not models.is_installed(name)]
    if missing:
        raise NotFoundError(
            f"the demo needs models that are not installed: {', '.join(missing)}",
            f"mollia models pull {' '.join(missing)}",
        )
    settings = new_settings(demo_labels(), NOUN, TASK, (LLM, *ENCODERS), ENCODERS[0])
    quick = replace(
        settings,
        annotate=replace(settings.annotate, shots=SHOTS),
        aggregate=replace(settings.aggregate, unlabelled=UNLABELLED),
        run=replace(settings.run, batch=BATCH),
    )
    create(folder, quick)
    project = Project.open(folder)
    messages = demo_messages()
    for split in SPLITS:
        rows = [json.dumps(message) for message in messages if message["split"] == split]
        report = ingest(project, io.BytesIO("\n".join(rows).encode()), split, name="demo", file_format="jsonl")
        say(f"{count(report.added, 'message')} as {split}")
    return project


def demo_run(project: Project, done: Callable[[Round], None]) -> list[Round]:
    """The demo's rounds, with labels from the panel."""
    run, setup = open_run(project, "panel", rounds=ROUNDS)
    return run_rounds(project, run, setup, ROUNDS, done)


def demo_comparison(project: Project) -> Comparison:
    """The mixture and labels alone, each from ``DRAWS`` random sets of labels; nobody is asked anything more.

    A draw of mollia's labels has the worked examples among them, whose labels the LLM has read; the others are any
    of the messages that it has read. The linear head is the learner's; its penalty is chosen on each size's first draw.
    """
    items = [*project.store.items.in_split("seed"), *project.store.items.in_split("pool")]
    test = project.store.items.in_split("test")
    gold, truth = gold_labels(items), gold_labels(test)
    every = np.arange(len(items))
    texts = panel_texts(project)
    assert texts is not None
    heads = {name: _Heads(project, name, [item.id for item in [*items, *test]], truth) for name in texts.encoders}
    curves = {
        name: [_mean([head.labels_alone(_drawn(gold, size, draw), gold) for draw in range(DRAWS)]) for size in SIZES]
        for name, head in heads.items()
    }
    best = max(texts.encoders, key=lambda name: curves[name][0][0])
    lines = [Line(f"labels alone, {name}", SIZES[0], *curves[name][0], DRAWS) for name in texts.encoders]
    lines += [Line(f"labels alone, {best}", n, *found, DRAWS) for n, found in zip(SIZES, curves[best], strict=True)][1:]
    panel = members(project)
    ids = [item.id for item in items]
    read = set(observed_by_all(project, panel, ids))
    rows = np.array([row for row, item_id in enumerate(ids) if item_id in read], dtype=np.int64)
    seen = stack(project, panel, [ids[row] for row in rows])
    unread = unobserved(project, panel, [item_id for item_id in ids if item_id not in read])
    written = [item.text for item in items]
    shown = [written.index(text) for half in examples_in_turn(project) for text, _ in half[:SHOTS]]
    found = []
    for draw in range(DRAWS):
        others = stream(draw, "demo").permutation(np.setdiff1d(rows, shown))
        given = np.concatenate([shown, others])[: SIZES[0]].astype(np.int64)
        found.append(heads[best].mollia(given, np.setdiff1d(every, given), gold, seen, unread, ids, draw))
    mollia = _mean(found)
    lines.append(Line(f"mollia: {count(len(rows), 'message')} read by {LLM}", SIZES[0], *mollia, DRAWS))
    lines.append(Line(f"all true labels, {best}", len(items), heads[best].labels_alone(every, gold), None, 1))
    curve = [*zip(SIZES, (mean for mean, _ in curves[best]), strict=True), (len(items), lines[-1].accuracy)]
    return Comparison(tuple(lines), labels_needed(curve, mollia[0]))


def labels_needed(curve: list[tuple[int, float]], accuracy: float) -> int | None:
    """The number of labels at which straight lines through (labels, accuracy) first reach an accuracy; or None."""
    if curve[0][1] >= accuracy:
        return curve[0][0]
    for (few, low), (many, high) in pairwise(curve):
        if high >= accuracy:
            return round(few + (accuracy - low) / (high - low) * (many - few))
    return None


class _Heads:
    """Linear heads on one encoder's embeddings of some items, of which the last are the test items."""

    def __init__(self, project: Project, encoder: str, ids: list[str], truth: IntArray) -> None:
        texts = panel_texts(project)
        assert texts is not None
        parts = texts.read(encoder, ids)
        n = len(ids) - len(truth)
        scaled = Scaling.of(parts[:n]).apply(parts)
        # a ridge head sees inner products alone, and there are fewer texts than dimensions
        left, lengths, _ = np.linalg.svd(scaled, full_matrices=False)
        self._features, self._test, self._truth = (left * lengths)[:n], (left * lengths)[n:], truth
        self._classes = len(project.labels)
        self._ridge: dict[int, float] = {}

    def labels_alone(self, rows: IntArray, gold: IntArray) -> float:
        """Test accuracy of a head on the labels of some rows."""
        examples = Examples.gold([""] * len(rows), gold[rows], self._classes)
        return self._accuracy(self._features[rows], examples, len(rows))

    def mollia(
        self, given: IntArray, rest: IntArray, gold: IntArray, seen: Panel, unread: Panel, ids: list[str], draw: int
    ) -> float:
        """The same of a head on some labels and the mixture's verdicts on everything else."""
        place = {item_id: row for row, item_id in enumerate(seen.ids)}
        own = {ids[row] for row in given}
        pool = seen.take([row for row, item_id in enumerate(seen.ids) if item_id not in own])
        pool = pool.joined(unread.take([row for row, item_id in enumerate(unread.ids) if item_id not in own]))
        seed = seen.take([place[ids[row]] for row in given])
        fitted = AGGREGATORS.load("mixture")().fit(seed, gold[given], pool, draw)
        row_of = {item_id: row for row, item_id in enumerate(pool.ids)}
        probabilities: FloatArray = fitted.predict_proba(pool)[[row_of[ids[row]] for row in rest]]
        labels = Examples.gold([""] * len(given), gold[given], self._classes)
        verdicts = Examples.gold([""] * len(rest), probabilities.argmax(axis=1), self._classes)
        verdicts = replace(verdicts, known=np.zeros(len(rest), dtype=bool), soft=probabilities)
        rows = np.concatenate([given, rest])
        return self._accuracy(self._features[rows], join(labels, verdicts), -1)

    def _accuracy(self, features: FloatArray, examples: Examples, kind: int) -> float:
        if kind not in self._ridge:
            self._ridge[kind] = choose_ridge(features, examples, 0.0, 0)
        head = fit_head(features, examples, 0.0, self._ridge[kind])
        return float((head.logits(self._test).argmax(axis=1) == self._truth).mean())


def _drawn(gold: IntArray, size: int, draw: int) -> IntArray:
    return stream(draw, "demo labels").permutation(len(gold))[:size]


def _mean(found: list[float]) -> tuple[float, float]:
    return float(np.mean(found)), float(np.std(found))
