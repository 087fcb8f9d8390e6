"""Labels from a person, asked for once and kept like any observation."""

from collections.abc import Sequence

import numpy as np

from mollia_cli.annotators import ANNOTATORS
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import IntArray
from mollia_cli.workflow.project import Project


def ask_person(project: Project, items: Sequence[Item]) -> IntArray:
    """[n] the person's labels of the items; asks for those that were not given yet, and stores each at once."""
    person = ANNOTATORS.load("human")(project.labels, project.ask)
    key = project.store.observations.register(person.name, person.identity)
    missing = set(project.store.observations.missing(key, [item.id for item in items]))
    for batch in person.annotate([item for item in items if item.id in missing]):
        with project.store.guarded():
            project.store.observations.add(key, batch)
    said = person_labels(project, [item.id for item in items])
    return np.array([said[item.id] for item in items], dtype=np.int64)


def person_labels(project: Project, ids: Sequence[str]) -> dict[str, int]:
    """The labels that a person has given to some of the items."""
    person = ANNOTATORS.load("human")(project.labels, project.ask)
    key = project.store.observations.key(person.identity)
    return {i: int(seen.votes.argmax()) for i, seen in project.store.observations.get(key, ids).items()}
