"""``mollia annotate``: the panel observes items; what is stored is never computed again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from mollia_cli.annotators.base import Annotator
from mollia_cli.annotators.llama.binding.doctor import unused_gpu
from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.memory import Peak
from mollia_cli.domain.observations import IntArray, Observation, Panel
from mollia_cli.domain.printable import count
from mollia_cli.domain.progress import step
from mollia_cli.engines.base import Engine
from mollia_cli.project.context import Project
from mollia_cli.project.encoders import panel_texts
from mollia_cli.project.labels import KnownLabels
from mollia_cli.project.panel import fit_together, panel_annotators, say_few_examples, worked_examples
from mollia_cli.project.parts import Part
from mollia_cli.project.workers import AT_ONCE, Read, engine_for, engine_kept, read_on, together
from mollia_cli.store.items import chunks

LITTLE_MASS = 0.5
_ANSWER = 200  # characters of a text's question and answers: about as much work as so many of the text


@dataclass(frozen=True, slots=True)
class Member:
    """A panel member as the store knows it: its name and the key of its observations."""

    name: str
    key: str


class Answers(Protocol):
    """Where the loop finds what was observed before, and puts what is observed now: ObservationStore, KnownLabels."""

    def register(self, name: str, identity: Mapping[str, Any]) -> str: ...
    def missing(self, key: str, ids: Sequence[str]) -> list[str]: ...
    def add(
        self, key: str, batch: Sequence[Observation], seconds: float | None = None, memory: int | None = None
    ) -> None: ...


def annotate(
    project: Project, ids: Sequence[str], only: Sequence[str] = (), show_invalid: int = 0, part: Part | None = None
) -> list[Member]:
    """Have every panel member observe the items it has not observed yet, one model after the other.

    part: of each member's work only this one.
    Stored batch by batch: a stop in between loses at most the batch in flight. With ``show_invalid``, what is stored
    without the words of its invalid answers is asked again for them alone.
    Raises InputError if there are no such answers, because votes are exact.
    """
    if show_invalid and project.settings.annotate.votes == "exact":
        raise InputError("exact votes draw no answers, so there are none to show", "--votes sampled")
    panel, store = _weighed(panel_annotators(project, only, show_invalid)), project.store.observations
    again = partial(_wordless, project, ids=ids) if show_invalid else None
    return observe(project, panel, ids, store, again, partial(_warn, project), part)


def known_labels(project: Project, ids: Sequence[str]) -> IntArray:
    """[n] the items' labels by the one member that knows them, see ``Annotator.certain``."""
    panel = panel_annotators(project)
    known = KnownLabels(project, panel[0].recorded)
    observe(project, panel, ids, known)
    return np.array([known.labels[item_id] for item_id in ids], dtype=np.int64)


def observe(
    project: Project,
    panel: Sequence[Annotator],
    ids: Sequence[str],
    store: Answers,
    again: Callable[[str], Iterable[str]] | None = None,
    after: Callable[[Member, Sequence[str]], None] = lambda member, ids: None,
    part: Part | None = None,
) -> list[Member]:
    """The observation loop: of each member in turn the items that ``store`` lacks are asked, and kept there.

    again: the items that it is asked of all the same, by its key; after: hears of each member and what it was asked;
    part: of the items, those that a member is asked of.
    """
    project.store.items.check(ids)
    members, asked = [], False
    with engine_kept(project):
        for annotator in panel:
            member = Member(annotator.name, store.register(annotator.name, annotator.identity))
            members.append(member)
            wanted = {*store.missing(member.key, ids), *(again(member.key) if again else ())}
            mine = ids if part is None else part.ids(project, annotator, ids)
            todo = [item_id for item_id in mine if item_id in wanted]
            if not todo:
                continue
            if annotator.size and not asked and (remark := unused_gpu()):
                project.say(remark)
            if annotator.size and not asked:
                say_few_examples(project)
            asked = asked or annotator.size > 0
            _ask(project, annotator, panel, member.key, todo, store, ids)
            after(member, todo)
    return members


def _ask(
    project: Project,
    annotator: Annotator,
    panel: Sequence[Annotator],
    key: str,
    ids: Sequence[str],
    store: Answers,
    among: Sequence[str],
) -> None:
    """One member of a panel, left loaded where all of the panel may be; of the items, one part is in memory."""
    if not project.may_ask and not annotator.recorded:
        raise RefusedError(
            f"{annotator.name} would have to be asked about {count(len(ids), 'text')}: its file, its engine or the"
            " prompt is another one than then, or other items are needed",
            "--ask-again lets it be asked",
        )
    annotator, peak = (project.loaded or {}).pop(key, (annotator, Peak()))
    try:
        with peak:
            read(project, annotator, key, ids, store, peak, engine_for(project, annotator, panel, ids), among)
    finally:
        if project.loaded is not None and fit_together(panel):
            project.loaded[key] = annotator, peak
        else:
            annotator.close()


def read(
    project: Project,
    annotator: Annotator,
    key: str,
    ids: Sequence[str],
    store: Answers,
    peak: Peak | None = None,
    engine: Engine | None = None,
    among: Sequence[str] = (),
) -> None:
    """The loop's inside: batch by batch what one annotator says of items is kept; it stays loaded.

    engine: whose workers read, instead of this process; among: all items that the command names, see ``together``.
    """
    begin = perf_counter()
    if engine is None:
        with step(project.progress, f"loading {annotator.name}"):
            annotator.load()
    work = _Reading(project, annotator, ids)
    reads = (
        read_on(engine, project, annotator, ids, among)
        if engine
        else _read_here(annotator, together(project, ids, among), peak, begin)
    )
    for batch, seconds, memory in reads:
        store.add(key, batch, seconds, memory)
        work.heard(batch)


def _read_here(annotator: Annotator, parts: Iterable[list[Item]], peak: Peak | None, begin: float) -> Iterator[Read]:
    """What this process reads; the first batch's seconds count from ``begin``, with the loading."""
    for part in parts:
        for batch in annotator.annotate(part):
            yield batch, perf_counter() - begin, peak.added if peak and annotator.size else None
            begin = perf_counter()


class _Reading:
    """The progress of an annotator: in texts, or of a model, which reads short ones first, in characters.

    Before it reads any, it is reported how many texts it cannot read as a whole.
    """

    def __init__(self, project: Project, annotator: Annotator, ids: Sequence[str]) -> None:
        self._progress, self._what = project.progress, f"annotating with {annotator.name}"
        if annotator.size:
            self._what += " (characters)"
        self._sizes, longer = dict[str, int](), 0
        for part in map(project.store.items.get, chunks(ids, AT_ONCE)):
            self._sizes |= {item.id: len(item.text) + _ANSWER if annotator.size else 1 for item in part}
            longer += annotator.longer(part)
        if longer:
            _warn_of_length(project, annotator.name, longer, len(ids))
        self._done, self._total = 0, sum(self._sizes.values())
        self._progress(self._what, 0, self._total)

    def heard(self, batch: Sequence[Observation]) -> None:
        """A batch was read."""
        self._done += sum(self._sizes[seen.item_id] for seen in batch)
        self._progress(self._what, self._done, self._total)


_READ = {
    "head-tail": 'the middle of each is left out (annotate.long = "split" reads all of it in parts)',
    "head": 'only the beginning of each is read (annotate.long = "split" reads all of it in parts)',
    "split": "each is read in parts, and what it says of them is joined",
}


def _warn_of_length(project: Project, name: str, longer: int, of: int) -> None:
    """Say how many texts an LLM cannot read as a whole, and what is done about them."""
    project.say_once(
        f"{name}: {longer} of {of} texts are longer than its context has room for:"
        f" {_READ[project.settings.annotate.long]}; annotate.context = N in mollia.toml makes more room, where the"
        " LLM and the memory have it"
    )


def _weighed(panel: Sequence[Annotator]) -> Sequence[Annotator]:
    """The panel; NotFoundError where it is one that knows the labels, which are no observations."""
    for annotator in panel:
        if annotator.certain:
            raise NotFoundError(
                f"the panel is {annotator.name!r}, who knows the labels: there is nothing to observe or to aggregate",
                "mollia run takes the labels; for observations, add LLMs: mollia panel add NAME",
            )
    return panel


def _wordless(project: Project, key: str, ids: Sequence[str]) -> Iterator[str]:
    """Items with stored invalid votes of an LLM whose words were not decoded."""
    for part in chunks(ids, AT_ONCE):
        for item_id, seen in project.store.observations.get(key, part).items():
            if seen.invalid > 0 and seen.tokens and not seen.answers:
                yield item_id


@contextmanager
def models_kept(project: Project) -> Iterator[None]:
    """Within, the panel's models stay loaded between annotations, if all fit into half of the free memory."""
    project.loaded = {}
    try:
        with engine_kept(project):
            yield
    finally:
        for annotator, _ in project.loaded.values():
            annotator.close()
        project.loaded = None


def _warn(project: Project, member: Member, ids: Sequence[str]) -> None:
    """Say what a person should know of an LLM's fresh observations: that little of the mass is on the labels."""
    mass, tokens, name = 0.0, 0, member.name
    asked = f" (asked about {project.question.label!r})" if project.question else ""
    for part in chunks(ids, AT_ONCE):
        for seen in project.store.observations.get(member.key, part).values():
            mass += seen.mass / len(ids)
            tokens += seen.tokens
    if tokens and mass < LITTLE_MASS:
        shots = "" if any(worked_examples(project)) else f" --shots {2 * len(project.labels)}, or"
        project.say(
            f"{name}{asked} puts only {mass:.0%} of its probability on the labels: see what it says instead with"
            f" `mollia annotate --model {name} --show-invalid 2 --limit 5` and what it reads with"
            f" `mollia prompt show --model {name}`; try{shots} other words in prompt.txt"
        )


def members(project: Project) -> list[Member]:
    """The panel's members with their keys, without asking them anything."""
    return [
        Member(annotator.name, project.store.observations.register(annotator.name, annotator.identity))
        for annotator in _weighed(panel_annotators(project))
    ]


def observations(project: Project, panel: Sequence[Member], ids: Sequence[str]) -> Iterator[tuple[Member, Observation]]:
    """Stored observations, item by item in the order of ``ids``."""
    for part in chunks(ids, AT_ONCE):
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
    return Panel(tuple(ids), names, log_probs, votes, invalid, project.settings.annotate.samples, panel_texts(project))


def unobserved(project: Project, panel: Sequence[Member], ids: Sequence[str]) -> Panel:
    """Items that the panel has not observed, for aggregators that look at texts."""
    shape = (len(ids), len(panel), len(project.labels))
    names = tuple(member.name for member in panel)
    nothing = np.full(shape, np.nan)
    votes, invalid = np.zeros(shape), np.ones(shape[:2])
    return Panel(tuple(ids), names, nothing, votes, invalid, project.settings.annotate.samples, panel_texts(project))


def observed_by_all(project: Project, panel: Sequence[Member], ids: Sequence[str]) -> list[str]:
    """Those of ``ids`` that every member has observed, in their order."""
    missing: set[str] = set()
    for member in panel:
        missing.update(project.store.observations.missing(member.key, ids))
    return [item_id for item_id in ids if item_id not in missing]
