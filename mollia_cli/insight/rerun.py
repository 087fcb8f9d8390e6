"""``mollia rerun``: a run is repeated from its record, in a copy of the project, and compared with what it was."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mollia_cli.domain.digest import digest_file
from mollia_cli.domain.errors import NotFoundError, RefusedError
from mollia_cli.domain.files import write_private
from mollia_cli.domain.printable import count
from mollia_cli.domain.processes import sweep
from mollia_cli.domain.settings import SETTINGS_FILE, RunConfig
from mollia_cli.learners.base import HEAD_WEIGHTS
from mollia_cli.loop.round import finish_round, start_round
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project
from mollia_cli.project.create import PROMPT_FILE
from mollia_cli.project.guidelines import GUIDELINES_FILE, read_guidelines
from mollia_cli.project.learner import finished_rounds, run_config
from mollia_cli.project.panel import read_template
from mollia_cli.project.record import recorded_settings, run_record, versions
from mollia_cli.store.database import DATABASE_FILE
from mollia_cli.store.project_files import write_settings
from mollia_cli.store.runs import Round

TOLERANCE = 1e-6  # of scores, confidences and metrics
_SCRATCH = ".rerun-"
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs in a round; ``within``: no more than numbers within ``TOLERANCE``, or the order of items."""

    round: int
    what: str
    detail: str
    within: bool = False


@dataclass(frozen=True, slots=True)
class Rerun:
    """A run beside its repetition: ``rounds`` it has, ``compared`` of them.

    same: everything is equal but for ``tolerance``. identical: bit for bit, the weights of every classifier too.
    threads: of the classifier. remarks: what has changed since the run was made, and may make it differ.
    """

    run: str
    rounds: int
    compared: int
    same: bool
    identical: bool
    tolerance: float
    threads: int
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]


def rerun(project: Project, run: str, ask_again: bool = False) -> Rerun:
    """Repeat the finished rounds of a run, and compare.

    Observations and people's decisions are taken from the project, unless ``ask_again``: then LLMs are asked anew.
    A round that selects other items is the last to be compared. Raises NotFoundError for a run without a finished
    round, RefusedError where an LLM would have to be asked, or a label is called otherwise.
    """
    rounds = finished_rounds(project, run)
    if not rounds:
        known = ", ".join(project.store.runs.names()) or "none yet"
        raise NotFoundError(f"there is no run {run!r} with a finished round", f"runs: {known}")
    record = project.store.runs.record(run)
    if record is not None and (was := tuple(record["settings"]["labels"])) != project.labels.names:
        raise RefusedError(
            f"run {run!r} was made with the labels {', '.join(was)}, and the project has others now",
            "call them as they were (mollia labels rename), or make another run: mollia run --run NEW",
        )
    remarks = list(_remarks(project, run, record))
    differences: list[Difference] = []
    compared = 0
    with _scratch(project, record, ask_again) as copy:
        copy.may_ask = ask_again
        name, setup = open_run(copy, run, **vars(run_config(project, run)))
        for old in rounds:
            found = _repeat(project, copy, name, setup, old)
            differences += found
            compared += 1
            if any(one.what == "items" for one in found):
                break
    return Rerun(
        run=run,
        rounds=len(rounds),
        compared=compared,
        same=all(one.within for one in differences),
        identical=not differences,
        tolerance=TOLERANCE,
        threads=copy.settings.learner.threads,
        differences=tuple(differences),
        remarks=tuple(remarks),
    )


def _repeat(project: Project, copy: Project, run: str, setup: RunConfig, old: Round) -> list[Difference]:
    """One round again: what is different."""
    setup = replace(setup, rounds=(old.metrics or {}).get("of_rounds", setup.rounds))
    selected = bool(project.store.runs.selections(run, old.number))
    start_round(copy, run, setup, old.number, selected)
    found = list(_selections(project, copy, run, old.number))
    if any(one.what == "items" for one in found):
        return found
    new = finish_round(copy, run, setup, old.number)
    shutil.rmtree(copy.models_folder / run / f"round-{old.number - 1:02d}", ignore_errors=True)
    return [*found, *_verdicts(project, copy, old, new), *_metrics(old, new), *_weights(project, copy, old, new)]


def _selections(project: Project, copy: Project, run: str, number: int) -> Iterator[Difference]:
    old, new = (one.store.runs.selections(run, number) for one in (project, copy))
    was, now = [s.item_id for s in old], [s.item_id for s in new]
    if set(was) != set(now):
        missing, extra = sorted(set(was) - set(now)), sorted(set(now) - set(was))
        yield Difference(number, "items", f"not selected again: {_some(missing)}; instead: {_some(extra)}")
        return
    if was != now:
        yield Difference(number, "order", "the same items were selected, ranked otherwise", within=True)
    theirs = {s.item_id: s for s in new}
    pairs = [(s, theirs[s.item_id]) for s in old]
    yield from _numbers(number, "scores", [(a.score, b.score) for a, b in pairs])
    other = [a.item_id for a, b in pairs if a.opinion != b.opinion]
    if other:
        yield Difference(number, "opinions", f"the classifier predicted another label for {_some(other)}")


def _verdicts(project: Project, copy: Project, old: Round, new: Round) -> Iterator[Difference]:
    if old.fit is None or new.fit is None:
        return
    ids = [s.item_id for s in copy.store.runs.selections(old.run)]
    stored = project.store.verdicts.get(old.fit, ids), copy.store.verdicts.get(new.fit, ids)
    was, now = ({verdict.item_id: verdict for verdict in found.rows()} for found in stored)
    other = sorted(i for i in was.keys() | now.keys() if i not in was or i not in now or was[i].label != now[i].label)
    if other:
        yield Difference(old.number, "verdicts", f"other labels, or none: {_some(other)}")
    both = [i for i in ids if i in was and i in now]
    negatives = [i for i in both if set(was[i].negatives) != set(now[i].negatives)]
    if negatives:
        yield Difference(old.number, "negatives", f"other negative labels: {_some(negatives)}")
    yield from _numbers(old.number, "confidences", [(was[i].confidence, now[i].confidence) for i in both])


def _metrics(old: Round, new: Round) -> Iterator[Difference]:
    """What was measured; counts and words must be equal."""
    was, now = old.metrics or {}, new.metrics or {}
    for key in was.keys() & now.keys():
        if isinstance(was[key], float):
            yield from _numbers(old.number, key, [(was[key], now[key])])
        elif was[key] != now[key]:
            yield Difference(old.number, key, f"was {was[key]}, is {now[key]}")


def _weights(project: Project, copy: Project, old: Round, new: Round) -> Iterator[Difference]:
    """The trained classifiers' files; one that is gone is not compared."""
    folders = [one.root / (record.model or "") for one, record in ((project, old), (copy, new))]
    pairs = [[folder / name for folder in folders] for name in (_WEIGHTS, HEAD_WEIGHTS)]
    if any(all(path.is_file() for path in pair) and len(set(map(digest_file, pair))) > 1 for pair in pairs):
        yield Difference(old.number, "weights", "the classifier's weights are not the same bits", within=True)


def _numbers(number: int, what: str, pairs: Sequence[tuple[float, float]]) -> Iterator[Difference]:
    """The largest difference of some numbers, if there is any."""
    apart = max((abs(a - b) for a, b in pairs), default=0.0)
    if apart > 0 or np.isnan(apart):
        yield Difference(number, what, f"up to {apart:.3g} apart", within=bool(apart <= TOLERANCE))


def _some(ids: Sequence[str]) -> str:
    return f"{len(ids)} ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})" if ids else "none"


def _remarks(project: Project, run: str, record: dict[str, Any] | None) -> Iterator[str]:
    """What is otherwise than it was when the run was made, and may make it differ."""
    if record is None:
        yield "the run has no record (an older version opened it): the present settings and prompt are used"
        return
    present = versions()
    for name, was in record["versions"].items():
        if present.get(name) != was:
            yield f"{name} was {was} and is {present.get(name, 'not here')}"
    now = run_record(project)
    for name, was in (record["panel"] | record["encoder"]).items():
        if (now["panel"] | now["encoder"]).get(name, was) != was:
            yield f"{name} is another file than then"
    opened = project.store.runs.opened(run)
    later = sum(decision.at > opened for decision in project.store.decisions.all())
    if later:
        yield f"people have decided {count(later, 'time')} since the run was opened: it is repeated with that known"
    if fresh := project.store.items.imported_since(opened):
        yield f"imported since the run was opened, and can be selected now: {count(fresh, 'item')}"
    if changed := project.store.imports.changed_since(opened):
        yield f"moved or given a label since the run was opened: {count(changed, 'item')}; it is repeated with that"


@contextmanager
def _scratch(project: Project, record: dict[str, Any] | None, ask_again: bool) -> Iterator[Project]:
    """The project as it was before its runs, in a folder of it that is gone afterwards."""
    sweep(project.root, _SCRATCH)
    settings = project.settings if record is None else recorded_settings(record)
    template = read_template(project)[0] if record is None or record["template"] is None else record["template"]
    guidelines = read_guidelines(project) if record is None else record["guidelines"]
    with tempfile.TemporaryDirectory(prefix=f"{_SCRATCH}{os.getpid()}-", dir=project.root) as folder:
        root = Path(folder)
        project.store.copy_without_runs(root / DATABASE_FILE, ask_again)
        write_settings(
            root / SETTINGS_FILE, replace(settings, annotate=replace(settings.annotate, template=PROMPT_FILE))
        )
        write_private(root / PROMPT_FILE, template)
        write_private(root / GUIDELINES_FILE, guidelines)
        with Project.open(root) as copy:
            copy.say, copy.progress, copy.folder = project.say, project.progress, project.folder
            yield copy
