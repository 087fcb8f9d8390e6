"""Labels that somebody knows: gold, and people's, asked for once, stored as decisions, worth as much."""

import getpass
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mollia_cli.annotators import ANNOTATORS
from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import IntArray
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.project.context import Project


def gold_labels(items: Sequence[Item]) -> IntArray:
    """[n] true labels; items without one raise InputError."""
    missing = [item.id for item in items if item.label is None]
    if missing:
        raise InputError(
            f"{len(missing)} items have no true label (the first is {missing[0]}), and the oracle needs them",
            "import the pool with its labels, or use the panel: --annotator panel",
        )
    return np.array([item.label for item in items], dtype=np.int64)


def certain_verdicts(items: Sequence[Item], labels: IntArray, classes: int) -> Verdicts:
    """Labels that somebody knows, as verdicts of confidence 1 without negative labels; labels: [n]."""
    ids = tuple(item.id for item in items)
    return Verdicts(ids, labels, np.eye(classes)[labels], np.zeros((len(ids), classes), dtype=bool))


def ask_person(project: Project, items: Sequence[Item]) -> IntArray:
    """[n] the people's labels of the items; asks for those that were not given yet, and stores each at once."""
    who, told = user_name(), project.store.decisions.labels()
    person = ANNOTATORS.load("human")(project.labels, project.ask)
    for [seen] in person.annotate([item for item in items if item.id not in told]):
        project.store.decisions.add(Decision(seen.item_id, LABEL, who, int(seen.votes.argmax())))
    told = project.store.decisions.labels()
    return np.array([told[item.id] for item in items], dtype=np.int64)


def labelled_by_people(project: Project) -> list[Item]:
    """The pool items that people have labelled, each with the label that they gave it."""
    given = project.store.decisions.labels()
    items = project.store.items.get(list(given))
    return [replace(item, label=given[item.id]) for item in items if item.split == "pool"]


def decided_verdicts(project: Project, ids: Sequence[str]) -> Verdicts:
    """People's labels of those of ``ids`` that are pool items with one: they override an aggregator's verdicts."""
    wanted = set(ids)
    items = [item for item in labelled_by_people(project) if item.id in wanted]
    return certain_verdicts(items, gold_labels(items), len(project.labels))


def user_name() -> str:
    """The name under which a person's decisions are stored, unless another is given: the operating system's."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
