"""``mollia export``: the labels, a dataset, or a trained model, out of the project."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TextIO

from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.files import new_file, new_folder
from mollia_cli.domain.items import Item
from mollia_cli.insight.corrections import promised_from
from mollia_cli.insight.multilabel import OWN_OF_SETS, labelled_sets
from mollia_cli.project.context import Project
from mollia_cli.project.fields import where
from mollia_cli.store.items import chunks
from mollia_cli.store.runs import Round
from mollia_cli.writers import BINARY, WRITERS, Row, Target, Writer
from mollia_cli.writers.base import OWN, as_typed
from mollia_cli.writers.dataset_card import dataset_card

_OF_SETS = ("csv", "jsonl")  # formats whose rows may have any columns


def labelled_rows(
    project: Project, synthetic: bool = False, conditions: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Every labelled item: seeds first, then the pool: people's labels, else the last aggregation's verdicts.

    Each row has id, text, label, confidence, source ("gold", "human" or the aggregator's name), who (the people whose
    label it is, with commas; "" for other labels) and negatives, and then the other columns of the imported files, None
    where the item has none.
    ``synthetic``: texts that LLMs wrote come last, with the source "synthetic". ``conditions``: only items that meet
    them, see project/fields.py.
    """
    names, labelled = project.labels.names, project.store.decisions.labels()
    whose = project.store.decisions.whose()
    wanted, columns = where(project, conditions), _columns(project)
    for row in _gold_rows(project, "seed", columns, whose):
        if wanted is None or row["id"] in wanted:
            yield row
    fit = project.store.verdicts.latest_fit()
    pool = project.store.items.ids("pool")
    for ids in chunks(pool if wanted is None else [item_id for item_id in pool if item_id in wanted]):
        stored = () if fit is None else project.store.verdicts.get(fit.id, ids).rows()
        verdicts = {verdict.item_id: verdict for verdict in stored}
        for item in project.store.items.get(ids):
            verdict = verdicts.get(item.id)
            if item.id in labelled:
                yield _row(item, columns, names[labelled[item.id]], 1.0, "human", whose[item.id])
            elif fit is not None and verdict is not None:
                negatives = [names[k] for k in verdict.negatives]
                yield _row(item, columns, names[verdict.label], verdict.confidence, fit.aggregator, "", negatives)
    for text in project.store.synthetic.all() if synthetic and wanted is None else ():
        yield _row(Item(text.id, text.text), columns, names[text.label], 1.0, "synthetic")


def _columns(project: Project) -> dict[str, str]:
    """The other columns of the imported files, and what each is called beside a row's own."""
    columns: dict[str, str] = {}
    own = OWN_OF_SETS if project.settings.multilabel else OWN
    for name in project.store.items.fields():
        called = name
        while called in own or called in columns.values():
            called = f"imported_{called}"
        columns[name] = called
    return columns


def target_of(project: Project, raw: bool = False) -> Target:
    """What the formats need to know of a project's rows."""
    return Target(project.labels.names, raw, _kinds(project))


def _kinds(project: Project) -> dict[str, str]:
    """What the columns beside a row's own hold, see ``ItemStore.fields``."""
    kinds = project.store.items.fields()
    return {called: kinds[name] for name, called in _columns(project).items()}


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


def is_binary(file_format: str) -> bool:
    """The format is no text, so that a terminal cannot show it."""
    return file_format in BINARY


def export_labels(
    project: Project,
    out: Path | TextIO,
    file_format: str = "",
    raw: bool = False,
    synthetic: bool = False,
    conditions: Sequence[str] = (),
    least: float = 0.0,
    unpromised: float | None = None,
) -> int:
    """Write ``labelled_rows`` in one of the output formats; ``raw``: see writers/csv.py. Returns how many.

    least: only labels of that confidence or above. unpromised: only the verdicts that need a person for this precision
    (``needing_review``).
    Where a text may have several labels: ``labelled_sets``; InputError for a format whose rows have one label.
    """
    if project.settings.multilabel:
        if (chosen := file_format or (format_of(out) if isinstance(out, Path) else "csv")) not in _OF_SETS:
            raise InputError(f"the format {chosen} is not for several labels yet", f"use one of: {', '.join(_OF_SETS)}")
        sets = labelled_sets(project, _columns(project), where(project, conditions))
        kept = (row for row in sets if row["confidence"] >= least)
        return write_rows(kept, out, file_format, target_of(project, raw))
    say_whose(project)
    rows: Iterable[Row] = (row for row in labelled_rows(project, synthetic, conditions) if row["confidence"] >= least)
    if unpromised is not None:
        rows = needing_review(project, rows, unpromised)
    return write_rows(rows, out, file_format, target_of(project, raw))


def needing_review(project: Project, rows: Iterable[Row], precision: float) -> Iterator[Row]:
    """The verdicts below the confidence from which on the precision is promised, and those that people disagree on.

    Where the seeds can promise no such confidence, that is every verdict.
    """
    fit = project.store.verdicts.latest_fit()
    promised = None if fit is None else promised_from(fit, precision)
    if promised is None:
        project.say(f"the seeds promise no precision of {precision:.4g}: every verdict needs review")
    else:
        project.say(f"a precision of {precision:.4g} is promised from confidence {promised:.3f} on")
    disputed = set(project.store.decisions.disagreements())
    for row in rows:
        known = fit is None or row["source"] != fit.aggregator
        if not known and (promised is None or row["confidence"] < promised or row["id"] in disputed):
            yield row


def export_dataset(project: Project, out: Path, file_format: str = "jsonl") -> dict[str, int]:
    """Make the new folder ``out`` that ``datasets.load_dataset`` loads; returns the rows of each split.

    Train is what ``labelled_rows`` gives; validation and test are the gold items of those splits. The folder
    appears whole or not at all. Raises RefusedError if it is there already, InputError without any label.
    """
    columns, kinds = _columns(project), _kinds(project)
    typed = {name: "text" if kind == "json" else kind for name, kind in kinds.items()}
    splits: dict[str, Iterator[dict[str, Any]]] = {
        "train": labelled_rows(project),
        "validation": _gold_rows(project, "validation", columns),
        "test": _gold_rows(project, "test", columns),
    }
    with _new_folder(out) as folder:
        (folder / "data").mkdir()
        files: dict[str, str] = {}
        counts: dict[str, Counter[str]] = {}
        for split, rows in splits.items():
            path, sources = f"data/{split}.{file_format}", Counter[str]()
            counted = (as_typed(row, kinds) for row in _counted(rows, sources))
            if write_rows(counted, folder / path, file_format, Target(fields=typed)):
                files[split], counts[split] = path, sources
            else:
                (folder / path).unlink()
        if "train" not in files:
            raise InputError("nothing is labelled yet", "import seed labels, or aggregate: mollia aggregate")
        say_whose(project)
        card = dataset_card(project.labels, project.settings.noun, files, counts, typed)
        (folder / "README.md").write_text(card, encoding="utf-8")
    return {split: sources.total() for split, sources in counts.items()}


def _counted(rows: Iterable[dict[str, Any]], sources: Counter[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        sources[row["source"]] += 1
        yield row


def _gold_rows(
    project: Project, split: str, columns: Mapping[str, str], whose: Mapping[str, str] = MappingProxyType({})
) -> Iterator[dict[str, Any]]:
    """The labelled items of a split; ``whose``: by item id, the people whose label it is."""
    for item in project.store.items.in_split(split, labelled=True):
        assert item.label is not None
        source = "human" if item.id in whose else "gold"
        yield _row(item, columns, project.labels.names[item.label], 1.0, source, whose.get(item.id, ""))


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """``new_folder``, in a place that is made. Raises RefusedError if ``out`` exists."""
    if out.exists():
        raise RefusedError(f"{out} exists already", "give the name of a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(out) as unfinished:
        yield unfinished


def _row(
    item: Item,
    columns: Mapping[str, str],
    label: str,
    confidence: float,
    source: str,
    who: str = "",
    negatives: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "id": item.id,
        "text": item.text,
        "label": label,
        "confidence": round(confidence, 6),
        "source": source,
        "who": who,
        "negatives": list(negatives),
        **{called: item.fields.get(name) for name, called in columns.items()},
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
