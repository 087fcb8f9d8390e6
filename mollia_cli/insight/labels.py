"""``mollia labels``: the project's labels, and changing them with all that names them.

mollia.toml, and then the classifiers' folders, are written within the transaction that changes what is stored. Who
kills that leaves the rows as they were, and at most a file that says otherwise: as one that was edited by hand, which
every command names and the same command settles.
"""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.settings import SETTINGS_FILE
from mollia_cli.insight.runs import folder_of
from mollia_cli.learners import LEARNERS
from mollia_cli.project.context import Project
from mollia_cli.project.learner import finished_rounds, run_config
from mollia_cli.store.project_files import write_labels

Kind = Literal["add", "rename", "merge", "remove"]


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label: how many items of each split have it, people's decisions, synthetic texts, and current verdicts."""

    label: str
    seed: int
    validation: int
    test: int
    pool: int
    decisions: int
    synthetic: int
    verdicts: int
    description: str


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one label. ``to``: the new name, or the label that it is merged into, else ""."""

    kind: Kind
    label: str
    to: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Consequences:
    """What a change touches, or has touched.

    labels: those afterwards. items, decisions, synthetic: that name the label. verdicts: that are renamed, or are no
    longer the current ones. deleted_runs: that go, with their classifiers. read_again: observations that are of the old
    label set, and the seconds that they took as far as it was measured.
    """

    labels: tuple[str, ...]
    items: int
    decisions: int
    synthetic: int
    verdicts: int
    deleted_runs: tuple[str, ...]
    read_again: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """stored: what the rows will be of; file: what mollia.toml will hold."""

    before: LabelSet
    stored: LabelSet
    file: LabelSet


def list_labels(project: Project) -> list[LabelRow]:
    """Every label in its order, with what it has."""
    uses = project.store.label_sets.uses()
    rows = []
    for name, description in zip(project.labels.names, project.labels.descriptions, strict=True):
        of = uses[name]
        splits = {split: of.items.get(split, 0) for split in ("seed", "validation", "test", "pool")}
        counts = {"decisions": of.decisions, "synthetic": of.synthetic, "verdicts": of.verdicts}
        rows.append(LabelRow(name, **splits, **counts, description=description))
    return rows


def consequences(project: Project, change: Change) -> Consequences:
    """What a change would touch; the project is open for changing its labels.

    Raises NotFoundError for a label that there is not, InputError for labels that cannot be afterwards.
    """
    return _consequences(project, change, _plan(project, change))


def change_labels(project: Project, change: Change) -> Consequences:
    """Change the labels in mollia.toml and wherever they are named.

    Runs, classifiers and verdicts cannot be of another number of labels: only a renaming keeps them. Raises as
    ``consequences``; RefusedError while another process makes rounds of a run, or for a classifier that cannot take it.
    """
    plan = _plan(project, change)
    expected = _consequences(project, change, plan)
    store, path = project.store, project.root / SETTINGS_FILE
    folders = [folder for run in expected.deleted_runs if (folder := folder_of(project, run)) is not None]
    with ExitStack() as held:
        for run in store.runs.names():
            held.enter_context(project.hold(run))
        with store.transaction():
            _change_rows(project, change)
            for run in expected.deleted_runs:
                store.runs.delete(run)
            store.label_sets.record(plan.stored)
            if plan.file.names != project.settings.labels.names:
                renamed = {change.label: change.to} if change.kind == "rename" else {}
                write_labels(path, plan.file, renamed)
            if change.kind == "rename":
                _tell_classifiers(project, plan)
        for folder in folders:  # after the rows: a killed process leaves no round without its classifier
            shutil.rmtree(folder)
    project.settings = replace(project.settings, labels=plan.file)
    return expected


def _change_rows(project: Project, change: Change) -> None:
    sets = project.store.label_sets
    if change.kind == "rename":
        sets.rename(change.label, change.to)
    elif change.kind == "merge":
        sets.merge(change.label, change.to, project.store.decisions)
    elif change.kind == "remove":
        sets.remove(change.label, project.store.decisions)
    else:
        sets.outdate_verdicts()


def _tell_classifiers(project: Project, plan: _Plan) -> None:
    """Have the folders of all trained classifiers call the label by its new name."""
    for run in project.store.runs.names():
        kind = LEARNERS.load(run_config(project, run).learner.name)
        for record in finished_rounds(project, run):
            assert record.model is not None
            if (folder := project.root / record.model).is_dir():
                kind.rename(folder, plan.stored)


def _plan(project: Project, change: Change) -> _Plan:
    """The labels afterwards, of what is stored and of the file: they differ where the file was edited by hand."""
    before, file = project.store.label_sets.current(), project.settings.labels
    assert before is not None  # of a new database alone
    if change.kind != "add":
        _known(change.label, before)
    if change.kind == "merge":
        _known(change.to, before)
        if change.to == change.label:
            raise InputError(f"label {change.label!r} cannot be merged into itself", "name another label")
    elif change.kind != "remove" and (new := change.to or change.label) in before.names:
        also = (
            f"mollia labels merge {change.label!r} {new!r}"
            if change.kind == "rename"
            else "see them: mollia labels list"
        )
        raise InputError(f"there is a label {new!r} already", also)
    after = _file_after(file, change)
    stored = _changed(before, change)
    return _Plan(before, after if _same(project, stored, after, change) else stored, after)


def _same(project: Project, stored: LabelSet, file: LabelSet, change: Change) -> bool:
    """Whether the file's labels may be those of the rows: the same, in an order that no verdict or run knows."""
    return stored.names == file.names or (change.kind != "rename" and set(stored.names) == set(file.names))


def _file_after(file: LabelSet, change: Change) -> LabelSet:
    """The file's labels after the change; one that a person has made in it already stays as it is."""
    if change.kind == "rename" and change.to in file.names and change.label not in file.names:
        return file
    if change.kind == "rename" and change.label not in file.names:
        return LabelSet((*file.names, change.to), (*file.descriptions, ""))
    if change.kind == "add" and change.label in file.names:
        return file
    return _changed(file, change)


def _changed(labels: LabelSet, change: Change) -> LabelSet:
    pairs = list(zip(labels.names, labels.descriptions, strict=True))
    if change.kind == "add":
        pairs.append((change.label, change.description))
    elif change.kind == "rename":
        pairs = [(change.to if name == change.label else name, text) for name, text in pairs]
    else:
        pairs = [(name, text) for name, text in pairs if name != change.label]
    return LabelSet(tuple(name for name, _ in pairs), tuple(text for _, text in pairs))


def _known(name: str, labels: LabelSet) -> None:
    if name not in labels.names:
        raise NotFoundError(f"there is no label {name!r}", f"labels: {', '.join(labels.names)}")


def _consequences(project: Project, change: Change, plan: _Plan) -> Consequences:
    sets = project.store.label_sets
    uses = sets.uses()
    of = uses.get(change.label)
    renaming = change.kind == "rename"
    read, seconds = sets.observed(plan.before.digest)
    known, _ = sets.observed(plan.stored.digest)
    again = max(0, read - known)
    verdicts = of.verdicts if renaming and of else sum(one.verdicts for one in uses.values())
    runs: Sequence[str] = () if renaming else project.store.runs.names()
    return Consequences(
        labels=plan.stored.names,
        items=sum(of.items.values()) if of else 0,
        decisions=of.decisions if of else 0,
        synthetic=of.synthetic if of else 0,
        verdicts=verdicts,
        deleted_runs=tuple(runs),
        read_again=again,
        seconds=seconds * again / read if read else 0.0,
    )
