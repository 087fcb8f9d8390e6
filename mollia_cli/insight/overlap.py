"""Items that come to a second person: how far people agree is known of these alone."""

from collections.abc import Container
from itertools import islice

from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.project.context import Project
from mollia_cli.project.labels import user_name


def overlapping(
    project: Project, who: str, overlap: int, seed: bool, wanted: Container[str] | None = None
) -> list[str]:
    """Those of the first ``overlap`` items that somebody else has labelled first and ``who`` has not, in their order.

    seed: seed items, else all others; wanted: only of these. Whoever asks again with the same number goes on, and third
    people get the same items. InputError where nobody else has labelled any first.
    """
    if not overlap:
        return []
    who = who or user_name()
    first: dict[str, Decision] = {}
    own = project.store.decisions.own()
    for decision in own:
        first.setdefault(decision.item_id, decision)
    mine = {decision.item_id for decision in own if decision.who == who}
    others = [
        d.item_id
        for d in first.values()
        if (d.act, d.seed) == (LABEL, seed) and d.who != who and (wanted is None or d.item_id in wanted)
    ]
    if not others:
        what = "seed item" if seed else "item of the pool"
        raise InputError(
            f"nobody but {who} has labelled a{'n' * (not seed)} {what}: none can be labelled a second time",
            "say whose labels these are with --who, or leave --overlap away",
        )
    return [item_id for item_id in islice(others, overlap) if item_id not in mine]
