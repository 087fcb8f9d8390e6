"""``mollia export``: the labels, a dataset, or a trained model, out of the project."""

import shutil
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.files import new_file, new_folder
from mollia_cli.insight.multilabel import labelled_sets
from mollia_cli.project.context import Project
from mollia_cli.store.items import chunks
from mollia_cli.store.runs import Round
from mollia_cli.writers import BINARY, WRITERS, Row, Target, Writer
from mollia_cli.writers.dataset_card import dataset_card

_OF_SETS = ("csv", "jsonl")  # formats whose rows may have any columns


def labelled_rows(project: Project, synthetic: bool = False) -> Iterator[dict[str, Any]]:
    """Every labelled item: seeds first, then the pool: people's labels, else the last aggregation's verdicts.

    Each row has id, text, label, confidence, source ("gold", "human" or the aggregator's name) and negatives.
    ``synthetic``: texts that LLMs wrote come last, with the source "synthetic".
    """
    names, labelled = project.labels.names, project.store.decisions.labels()
    yield from _gold_rows(project, "seed", labelled)
    fit = project.store.verdicts.latest_fit()
    for ids in chunks(project.store.items.ids("pool")):
        stored = () if fit is None else project.store.verdicts.get(fit.id, ids).rows()
        verdicts = {verdict.item_id: verdict for verdict in stored}
        for item in project.store.items.get(ids):
            verdict = verdicts.get(item.id)
            if item.id in labelled:
                yield _row(item.id, item.text, names[labelled[item.id]], 1.0, "human", [])
            elif fit is not None and verdict is not None:
                negatives = [names[k] for k in verdict.negatives]
                yield _row(item.id, item.text, names[verdict.label], verdict.confidence, fit.aggregator, negatives)
    for text in project.store.synthetic.all() if synthetic else ():
        yield _row(text.id, text.text, names[text.label], 1.0, "synthetic", [])


def say_whose(project: Project) -> None:
    """Say of which aggregation the verdicts of ``labelled_rows`` are, and how many pool items it leaves out."""
    fit, pool = project.store.verdicts.latest_fit(), project.store.items.ids("pool")
    if fit is None:
        project.say("no verdict: nothing was aggregated yet (mollia run, or mollia annotate and mollia aggregate)")
        return
    by = [
        (run, record.number)
        for run in project.store.runs.names()
        for record in project.store.runs.rounds(run)
        if record.fit == fit.id
    ]
    whose = f"run {by[0][0]}, round {by[0][1]}" if by else "mollia aggregate"
    left = len(set(pool).difference(project.store.verdicts.confidences(fit.id), project.store.decisions.labels()))
    out = f"{left} of {len(pool)} pool items have none and are left out" if left else "every pool item has one"
    more = ": mollia annotate --split pool, then mollia aggregate" if left else ""
    project.say(f"verdicts are of the last aggregation alone ({fit.aggregator}, {whose}); {out}{more}")


def write_rows(
    rows: Iterable[Row],
    out: Path | TextIO,
    file_format: str = "",
    target: Target = Target(),
) -> int:
    """Write rows to a stream, or to a file (whole or not at all) in the format of its suffix; returns how many."""
    name = WRITERS.check(file_format) if file_format else format_of(out) if isinstance(out, Path) else "csv"
    write: Writer = WRITERS.load(name)
    binary = name in BINARY
    if not isinstance(out, Path):
        return write(rows, out.buffer if binary and hasattr(out, "buffer") else out, target)
    with (
        new_file(out) as unfinished,
        unfinished.open("wb") if binary else unfinished.open("w", encoding="utf-8", newline="") as handle,
    ):
        return write(rows, handle, target)


def format_of(out: Path) -> str:
    """The output format that a file's name says; CSV without a suffix. InputError for another suffix."""
    return WRITERS.check(out.suffix.lower().lstrip(".") or "csv")


def export_labels(
    project: Project, out: Path | TextIO, file_format: str = "", raw: bool = False, synthetic: bool = False
) -> int:
    """Write ``labelled_rows`` in one of the output formats; ``raw``: see writers/csv.py. Returns how many.

    Where a text may have several labels: ``labelled_sets``; InputError for a format that has one label.
    """
    target = Target(project.labels.names, raw)
    if not project.settings.multilabel:
        say_whose(project)
        return write_rows(labelled_rows(project, synthetic), out, file_format, target)
    chosen = file_format or (format_of(out) if isinstance(out, Path) else "csv")
    if chosen not in _OF_SETS:
        raise InputError(f"the format {chosen} is not for several labels yet", f"use one of: {', '.join(_OF_SETS)}")
    return write_rows(labelled_sets(project), out, file_format, target)


def export_dataset(project: Project, out: Path, file_format: str = "jsonl") -> dict[str, int]:
    """Make the new folder ``out`` that ``datasets.load_dataset`` loads; returns the rows of each split.

    Train is what ``labelled_rows`` gives; validation and test are the gold items of those splits. The folder
    appears whole or not at all. Raises RefusedError if it is there already, InputError without any label.
    """
    splits: dict[str, Iterator[dict[str, Any]]] = {
        "train": labelled_rows(project),
        "validation": _gold_rows(project, "validation"),
        "test": _gold_rows(project, "test"),
    }
    with _new_folder(out) as folder:
        (folder / "data").mkdir()
        files: dict[str, str] = {}
        counts: dict[str, Counter[str]] = {}
        for split, rows in splits.items():
            path, sources = f"data/{split}.{file_format}", Counter[str]()
            if write_rows(_counted(rows, sources), folder / path, file_format):
                files[split], counts[split] = path, sources
            else:
                (folder / path).unlink()
        if "train" not in files:
            raise InputError("nothing is labelled yet", "import seed labels, or aggregate: mollia aggregate")
        say_whose(project)
        card = dataset_card(project.labels, project.settings.noun, files, counts)
        (folder / "README.md").write_text(card, encoding="utf-8")
    return {split: sources.total() for split, sources in counts.items()}


def _counted(rows: Iterable[dict[str, Any]], sources: Counter[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        sources[row["source"]] += 1
        yield row


def _gold_rows(project: Project, split: str, by_people: Container[str] = ()) -> Iterator[dict[str, Any]]:
    """The labelled items of a split; the labels of those in ``by_people`` are people's."""
    for item in project.store.items.in_split(split, labelled=True):
        assert item.label is not None
        yield _row(
            item.id, item.text, project.labels.names[item.label], 1.0, "human" if item.id in by_people else "gold", []
        )


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """``new_folder``, in a place that is made. Raises RefusedError if ``out`` exists."""
    if out.exists():
        raise RefusedError(f"{out} exists already", "give the name of a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(out) as unfinished:
        yield unfinished


def _row(item_id: str, text: str, label: str, confidence: float, source: str, negatives: list[str]) -> dict[str, Any]:
    return {
        "id": item_id,
        "text": text,
        "label": label,
        "confidence": round(confidence, 6),
        "source": source,
        "negatives": negatives,
    }


def export_model(project: Project, record: Round, out: Path, with_onnx: bool = False) -> Path:
    """Copy a round's model folder to ``out``, whole or not at all; ``out`` must not exist.

    ``with_onnx`` adds ``model.onnx``, see learners/onnx.py. Raises NotFoundError where the round's model folder is
    gone.
    """
    assert record.model is not None
    source = project.root / record.model
    if not source.is_dir():
        raise NotFoundError(f"the model folder {source} is missing", "train it again: mollia run --run NEW")
    with _new_folder(out) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        if with_onnx:
            from mollia_cli.learners.onnx import export_onnx

            export_onnx(folder, folder / "model.onnx")
    return out
