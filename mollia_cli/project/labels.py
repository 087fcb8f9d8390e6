"""Labels that somebody knows: gold, and people's, asked for once, stored as decisions, worth as much."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import IntArray, Observation
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.project.context import Project


class KnownLabels:
    """What a member says that knows the labels, kept where labels are: the place of observations in the loop.

    A person's are decisions, each stored at once; those that are ``recorded``, as true labels, are not kept again.
    What a person says of an item that people disagree on settles it: a run needs one label, and would ask again.
    """

    def __init__(self, project: Project, recorded: bool) -> None:
        self._project = project
        self._recorded = recorded
        self.labels: dict[str, int] = {} if recorded else project.store.decisions.labels()
        self._disputed = set() if recorded else {*project.store.decisions.disagreements()}

    def register(self, name: str, identity: Mapping[str, Any]) -> str:
        """The identity's key, which is not stored: who labelled stands with each decision."""
        return self._project.store.observations.key(identity)

    def missing(self, key: str, ids: Sequence[str]) -> list[str]:
        """Those of ``ids`` whose label is not known yet, in their order."""
        return [item_id for item_id in ids if item_id not in self.labels]

    def add(
        self, key: str, batch: Sequence[Observation], seconds: float | None = None, memory: int | None = None
    ) -> None:
        """Keep the label that all votes are for."""
        for seen in batch:
            label = self.labels[seen.item_id] = int(seen.votes.argmax())
            if not self._recorded:
                settles = seen.item_id in self._disputed
                decision = Decision(seen.item_id, LABEL, user_name(), label, adjudicates=settles)
                self._project.store.decisions.add(decision)


def gold_labels(items: Sequence[Item]) -> IntArray:
    """[n] labels of items that have one."""
    return np.array([item.label for item in items], dtype=np.int64)


def certain_verdicts(items: Sequence[Item], labels: IntArray, classes: int) -> Verdicts:
    """Labels that somebody knows, as verdicts of confidence 1 without negative labels; labels: [n]."""
    ids = tuple(item.id for item in items)
    return Verdicts(ids, labels, np.eye(classes)[labels], np.zeros((len(ids), classes), dtype=bool))


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
