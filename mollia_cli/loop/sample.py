"""Which seed items can measure: a random sample, of which what was chosen for a reason is no part.

Items that are typical, or in doubt, are not right as often as others, however many there are of them.
"""

from collections.abc import Sequence

import numpy as np

from mollia_cli.domain.decisions import RANDOM
from mollia_cli.domain.observations import IntArray
from mollia_cli.domain.printable import count
from mollia_cli.project.context import Project


def at_random(project: Project, ids: Sequence[str]) -> IntArray:
    """The rows of those seed items that `mollia label` drew at random, or that were imported.

    How imported labels came about nobody here knows; they are taken as a random sample, and ``sample_words`` says so.
    """
    chosen = project.store.decisions.seeds_chosen()
    return np.array([row for row, i in enumerate(ids) if chosen.get(i, RANDOM) == RANDOM], dtype=np.int64)


def sample_words(project: Project, ids: Sequence[str]) -> str:
    """What is measured on, of these seed items: how many there are, and how they were chosen."""
    chosen = project.store.decisions.seeds_chosen()
    rows = at_random(project, ids)
    drawn = sum(ids[row] in chosen for row in rows.tolist())
    imported = len(rows) - drawn
    items = count(len(rows), "seed item") if len(rows) == len(ids) else f"{len(rows)} of {len(ids)} seed items"
    if not imported:
        return f"{items} (drawn at random)"
    if not drawn:
        return f"{items} (imported, taken as a random sample)"
    return f"{items} ({drawn} drawn at random, {imported} imported and taken as a random sample)"
