"""``mollia export``: the labels, or a trained model, out of the project."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from mollia_cli.domain.errors import NotFoundError, RefusedError
from mollia_cli.store.runs import Round
from mollia_cli.workflow.project import Project
from mollia_cli.writers import WRITERS


def labelled_rows(project: Project) -> Iterator[dict[str, Any]]:
    """Every labelled item: seeds first, then the pool: people's labels, else the last aggregation's verdicts.

    Each row has id, text, label, confidence, source ("gold", "human" or the aggregator's name) and negatives.
    """
    names, told = project.labels.names, project.store.decisions.labels()
    for item in project.store.items.in_split("seed"):
        if item.label is not None:
            yield _row(item.id, item.text, names[item.label], 1.0, "human" if item.id in told else "gold", [])
    pool = project.store.items.in_split("pool")
    ids = [item.id for item in pool]
    fit = project.store.verdicts.latest_fit()
    verdicts = {} if fit is None else project.store.verdicts.get(fit.id, ids)
    for item in pool:
        verdict = verdicts.get(item.id)
        if item.id in told:
            yield _row(item.id, item.text, names[told[item.id]], 1.0, "human", [])
        elif fit is not None and verdict is not None:
            negatives = [names[k] for k in verdict.negatives]
            yield _row(item.id, item.text, names[verdict.label], verdict.confidence, fit.aggregator, negatives)


def write_rows(rows: Iterable[Mapping[str, Any]], out: Path | TextIO, file_format: str = "") -> int:
    """Write rows to a stream, or to a file (whole or not at all) in the format of its suffix; returns how many."""
    if not isinstance(out, Path):
        return int(WRITERS.load(file_format)(rows, out))
    write = WRITERS.load(file_format or out.suffix.lower().lstrip(".") or "csv")
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as handle:
            count = int(write(rows, handle))
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def _row(item_id: str, text: str, label: str, confidence: float, source: str, negatives: list[str]) -> dict[str, Any]:
    return {
        "id": item_id,
        "text": text,
        "label": label,
        "confidence": round(confidence, 6),
        "source": source,
        "negatives": negatives,
    }


def export_model(project: Project, record: Round, out: Path) -> Path:
    """Copy a round's model folder to ``out``, whole or not at all; ``out`` must not exist."""
    assert record.model is not None
    source = project.root / record.model
    if out.exists():
        raise RefusedError(f"{out} exists already", "give the name of a new folder")
    if not source.is_dir():
        raise NotFoundError(f"the model folder {source} is missing", "train it again: mollia run --name NEW")
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(source, unfinished)
    unfinished.rename(out)
    return out
