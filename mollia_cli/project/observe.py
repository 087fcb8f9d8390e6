"""``mollia annotate``: the panel observes items; what is stored is never computed again."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from time import perf_counter

import numpy as np

from mollia_cli.annotators.base import Annotator
from mollia_cli.annotators.llama.binding.doctor import unused_gpu
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.memory import Peak
from mollia_cli.domain.observations import Observation, Panel
from mollia_cli.project.context import Project
from mollia_cli.project.panel import REPLAY, fit_together, panel_annotators
from mollia_cli.store.items import chunks
from mollia_cli.store.observations import ObservationStore

LITTLE_MASS = 0.5
_AT_ONCE = 20_000  # items whose texts or observations are in memory together


@dataclass(frozen=True, slots=True)
class Member:
    """A panel member as the store knows it: its name and the key of its observations."""

    name: str
    key: str


def annotate(
    project: Project, ids: Sequence[str], only: Sequence[str] = (), show_invalid: int = 0, replay: str = ""
) -> list[Member]:
    """Have every panel member observe the items it has not observed yet, one model after the other.

    Stored batch by batch: a stop in between loses at most the batch in flight. With ``show_invalid``, what is stored
    without the words of its invalid answers is asked again for them alone. ``replay``: see ``panel_annotators``.
    Raises InputError if there are no such answers, because votes are exact.
    """
    if show_invalid and project.settings.annotate.votes == "exact":
        raise InputError("exact votes draw no answers, so there are none to show", "--votes sampled")
    project.store.items.check(ids)
    members, asked = [], False
    panel = panel_annotators(project, only, show_invalid, replay)
    for annotator in panel:
        key = project.store.observations.register(annotator.name, annotator.identity)
        members.append(Member(annotator.name, key))
        missing = set(project.store.observations.missing(key, ids))
        wordless = set(_wordless(project, key, ids)) if show_invalid else set()
        todo = [item_id for item_id in ids if item_id in missing or item_id in wordless]
        if not todo:
            continue
        if remark := unused_gpu() if not asked else "":
            project.say(remark)
        asked = True
        texts = map(project.store.items.get, chunks(todo, _AT_ONCE))
        observe(project, annotator, panel, texts, len(todo), project.store.observations)
        _warn(project, annotator.name, key, todo)
    return members


def observe(
    project: Project,
    annotator: Annotator,
    panel: Sequence[Annotator],
    parts: Iterable[Sequence[Item]],
    total: int,
    store: ObservationStore,
) -> None:
    """Ask one LLM of a panel of ``total`` items, and leave it loaded where all of the panel may be.

    The items come in parts, of which one at a time is in memory.
    """
    if not project.may_ask and annotator.identity.get("annotator") != REPLAY:
        raise RefusedError(
            f"{annotator.name} would have to be asked about {total} texts: its file, its engine or the prompt is"
            " another one than then, or other items are needed",
            "--ask-again lets it be asked",
        )
    key = store.key(annotator.identity)
    annotator, peak = (project.loaded or {}).pop(key, (annotator, Peak()))
    try:
        with peak:
            _store_batches(project, annotator, key, parts, total, store, peak)
    finally:
        if project.loaded is not None and fit_together(panel):
            project.loaded[key] = annotator, peak
        else:
            annotator.close()


def _store_batches(
    project: Project,
    annotator: Annotator,
    key: str,
    parts: Iterable[Sequence[Item]],
    total: int,
    store: ObservationStore,
    peak: Peak,
) -> None:
    """Of what is stored already, only the words of invalid answers are new."""
    done = 0
    task = f"annotating with {annotator.name}"
    project.progress(task, 0, total)
    begin = perf_counter()
    for batch in chain.from_iterable(map(annotator.annotate, parts)):
        store.add(key, batch, perf_counter() - begin, peak.added if annotator.size else None)
        store.keep_answers(key, batch)
        begin = perf_counter()
        done += len(batch)
        project.progress(task, done, total)


def _wordless(project: Project, key: str, ids: Sequence[str]) -> Iterator[str]:
    """Items with stored invalid votes whose words were not decoded."""
    for part in chunks(ids, _AT_ONCE):
        for item_id, seen in project.store.observations.get(key, part).items():
            if seen.invalid > 0 and not seen.answers:
                yield item_id


@contextmanager
def models_kept(project: Project) -> Iterator[None]:
    """Within, the panel's models stay loaded between annotations, if all fit into half of the free memory."""
    project.loaded = {}
    try:
        yield
    finally:
        for annotator, _ in project.loaded.values():
            annotator.close()
        project.loaded = None


def _warn(project: Project, name: str, key: str, ids: Sequence[str]) -> None:
    """Say what a person should know of fresh observations: little mass on the labels, texts that were cut."""
    mass, cut = 0.0, 0
    for part in chunks(ids, _AT_ONCE):
        for seen in project.store.observations.get(key, part).values():
            mass += seen.mass / len(ids)
            cut += seen.truncated
    if mass < LITTLE_MASS:
        shots = "" if project.settings.annotate.shots else f" --shots {2 * len(project.labels)}, or"
        project.say(
            f"{name} puts only {mass:.0%} of its probability on the labels: see what it says instead with"
            f" `mollia annotate --model {name} --show-invalid 2 --limit 5` and what it reads with"
            f" `mollia prompt show --model {name}`; try{shots} other words in prompt.txt"
        )
    if cut:
        project.say(f"{name}: {cut} texts were longer than the context and were cut (annotate.context in mollia.toml)")


def members(project: Project, replay: str = "") -> list[Member]:
    """The panel's members with their keys, without asking them anything; ``replay``: see ``panel_annotators``."""
    return [
        Member(annotator.name, project.store.observations.register(annotator.name, annotator.identity))
        for annotator in panel_annotators(project, replay=replay)
    ]


def observations(project: Project, panel: Sequence[Member], ids: Sequence[str]) -> Iterator[tuple[Member, Observation]]:
    """Stored observations, item by item in the order of ``ids``."""
    for part in chunks(ids, _AT_ONCE):
        stored = {member.key: project.store.observations.get(member.key, part) for member in panel}
        for item_id in part:
            for member in panel:
                if item_id in stored[member.key]:
                    yield member, stored[member.key][item_id]


def stack(project: Project, panel: Sequence[Member], ids: Sequence[str]) -> Panel:
    """The stored observations of ``ids`` as arrays; every item must have been observed by every member."""
    shape = (len(ids), len(panel), len(project.labels))
    log_probs, votes, invalid = np.empty(shape), np.empty(shape), np.empty(shape[:2])
    for column, member in enumerate(panel):
        project.store.observations.read_into(
            member.key, ids, log_probs[:, column], votes[:, column], invalid[:, column]
        )
    names = tuple(member.name for member in panel)
    return Panel(tuple(ids), names, log_probs, votes, invalid, project.settings.annotate.samples)


def observed_by_all(project: Project, panel: Sequence[Member], ids: Sequence[str]) -> list[str]:
    """Those of ``ids`` that every member has observed, in their order."""
    missing: set[str] = set()
    for member in panel:
        missing.update(project.store.observations.missing(member.key, ids))
    return [item_id for item_id in ids if item_id not in missing]
