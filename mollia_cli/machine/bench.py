"""``mollia bench annotate``: how near annotation comes to what a model file can do on this machine."""

from functools import partial
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from mollia_cli import models
from mollia_cli.annotators import ANNOTATORS
from mollia_cli.annotators.llama.bench import AnnotationSpeed, bench_annotate
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.prompting import Decoding, Prompt
from mollia_cli.domain.rng import stream
from mollia_cli.domain.settings import Settings
from mollia_cli.project.kernels import file_kernels
from mollia_cli.project.panel import LOG_FILE
from mollia_cli.prompts import builtin_template, render
from mollia_cli.readers import Record, read
from mollia_cli.store.store import Store

NOUN = "text"


def bench(model: str, texts: Path | BinaryIO | None = None, limit: int = 500, threads: int = 0) -> AnnotationSpeed:
    """Label scores and T = 10 votes for ``limit`` texts, stored in a project that is gone afterwards."""
    file = models.resolve_llm(model)
    items, labels = bench_texts(texts, limit)
    with TemporaryDirectory() as scratch:
        root = Path(scratch)
        store = Store(root, labels, create=True)
        annotator = ANNOTATORS.load("llama")(
            file.name,
            file.path,
            labels,
            bench_prompt(labels),
            Decoding(),
            model_digest=file.sha256,
            threads=threads,
            log_path=root / LOG_FILE,
            kernels=partial(file_kernels, file),
        )
        try:
            with store.transaction():
                store.items.add(items, "bench")
            key = store.observations.register(annotator.name, annotator.identity)
            return bench_annotate(annotator, items, lambda batch: store.observations.add(key, batch))
        finally:
            annotator.close()
            store.close()


def bench_texts(file: Path | BinaryIO | None, limit: int) -> tuple[list[Item], LabelSet]:
    """Texts of a file in one shuffled order, and the labels that occur in it; the demo's messages without a file.

    Raises InputError where fewer than two labels occur.
    """
    source = file or Path(str(resources.files("mollia_cli.demo") / "messages.jsonl"))
    called = str(source) if isinstance(source, Path) else "standard input"
    records = [row for row in read(source, name=called) if isinstance(row, Record)]
    names = sorted({row.label for row in records if row.label})
    if len(names) < 2:
        raise InputError(
            f"{called}: the labels to choose from are those that occur in the file, and it has {len(names)}",
            "give a file with a column of labels, for example: text,label",
        )
    labels = LabelSet(tuple(names))
    order = stream(0, "benchmark").permutation(len(records))[: limit or None]
    found = [
        Item(str(i), records[i].text, label=labels.index(str(records[i].label)) if records[i].label else None)
        for i in order.tolist()
    ]
    return list({item.text: item for item in found}.values()), labels


def bench_prompt(labels: LabelSet, noun: str = NOUN) -> Prompt:
    """The paper's prompt for these labels."""
    return render(builtin_template("paper"), labels, noun, Settings(labels, noun).task_sentence)
