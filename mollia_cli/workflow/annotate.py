"""``mollia annotate``: the panel observes items; what is stored is never computed again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation, Panel
from mollia_cli.domain.rng import stream
from mollia_cli.workflow.learner import current_run
from mollia_cli.workflow.panel import panel_annotators, shot_items
from mollia_cli.workflow.project import Project


@dataclass(frozen=True, slots=True)
class Member:
    """A panel member as the store knows it: its name and the key of its observations."""

    name: str
    key: str


def annotate(project: Project, ids: Sequence[str], only: Sequence[str] = ()) -> list[Member]:
    """Have every panel member observe the items it has not observed yet, one model after the other.

    Stored batch by batch: a stop in between loses at most the batch in flight.
    """
    items = project.store.items.get(ids)
    members = []
    for annotator in panel_annotators(project, only):
        key = project.store.observations.register(annotator.name, annotator.identity)
        members.append(Member(annotator.name, key))
        missing = set(project.store.observations.missing(key, ids))
        todo = [item for item in items if item.id in missing]
        if not todo:
            continue
        done = 0
        task = f"annotating with {annotator.name}"
        project.progress(task, 0, len(todo))
        begin = perf_counter()
        try:
            for batch in annotator.annotate(todo):
                with project.store.guarded():
                    project.store.observations.add(key, batch, perf_counter() - begin)
                begin = perf_counter()
                done += len(batch)
                project.progress(task, done, len(todo))
        finally:
            annotator.close()
        _warn(project, annotator.name, key, [item.id for item in todo])
    return members


def _warn(project: Project, name: str, key: str, ids: Sequence[str]) -> None:
    """Say what a person should know of fresh observations: little mass on the labels, texts that were cut."""
    observed = list(project.store.observations.get(key, ids).values())
    mass = sum(o.mass for o in observed) / len(observed)
    if mass < 0.5:
        project.say(
            f"{name} puts only {mass:.0%} of its probability on the labels; see what it reads with"
            f" `mollia prompt show --model {name}` and try other words in prompt.txt"
        )
    cut = sum(o.truncated for o in observed)
    if cut:
        project.say(f"{name}: {cut} texts were longer than the context and were cut (annotate.context in mollia.toml)")


def members(project: Project) -> list[Member]:
    """The panel's members with their keys, without asking them anything."""
    return [
        Member(annotator.name, project.store.observations.register(annotator.name, annotator.identity))
        for annotator in panel_annotators(project)
    ]


def observations(project: Project, panel: Sequence[Member], ids: Sequence[str]) -> Iterator[tuple[Member, Observation]]:
    """Stored observations, item by item in the order of ``ids``."""
    stored = {member.key: project.store.observations.get(member.key, ids) for member in panel}
    for item_id in ids:
        for member in panel:
            if item_id in stored[member.key]:
                yield member, stored[member.key][item_id]


def stack(project: Project, panel: Sequence[Member], ids: Sequence[str]) -> Panel:
    """The stored observations of ``ids`` as arrays; every item must have been observed by every member."""
    columns = {member.name: project.store.observations.get(member.key, ids) for member in panel}
    return Panel.stack(ids, columns, len(project.labels))


def observed_by_all(project: Project, panel: Sequence[Member], ids: Sequence[str]) -> list[str]:
    """Those of ``ids`` that every member has observed, in their order."""
    missing: set[str] = set()
    for member in panel:
        missing.update(project.store.observations.missing(member.key, ids))
    return [item_id for item_id in ids if item_id not in missing]


def unlabelled_sample(project: Project) -> list[str]:
    """The pool items that semi-supervised aggregators learn from: a fixed random sample."""
    pool = sorted(project.store.items.ids("pool"))
    order = stream(project.settings.seed, "unlabelled").permutation(len(pool))
    return [pool[row] for row in order[: project.settings.aggregate.unlabelled]]


def needed_for_fit(project: Project) -> list[str]:
    """What the next aggregation needs: the seed set (but the prompt's shots) and the unlabelled sample."""
    return [*(item.id for item in fit_seeds(project)), *unlabelled_sample(project)]


def fit_seeds(project: Project) -> list[Item]:
    """The seed items that an aggregator learns from: the labelled ones that do not stand in the prompt."""
    shots = {item.id for item in shot_items(project)}
    return [item for item in project.store.items.in_split("seed") if item.label is not None and item.id not in shots]


def next_items(project: Project) -> list[str]:
    """What the next step needs: ``needed_for_fit`` and what the current run has selected."""
    selected = [s.item_id for s in project.store.runs.selections(current_run(project))]
    return list(dict.fromkeys([*needed_for_fit(project), *selected]))
