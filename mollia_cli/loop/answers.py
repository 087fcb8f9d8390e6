"""What people have labelled since a round of a run, and what it changed."""

from typing import Any

from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.printable import count
from mollia_cli.loop.needed import fit_items
from mollia_cli.project.context import Project
from mollia_cli.store.runs import Round


def labels_learned(project: Project) -> dict[str, Any]:
    """What a round's record says of the labels that it learns from: how many they are, and their digest.

    Texts that people ignore are a part of the digest, since they are learned from no more.
    """
    known = [[item.id, item.label] for item in fit_items(project)]
    return {"gold": len(known), "gold_digest": digest_of([known, sorted(project.store.decisions.ignored())])}


def new_labels(project: Project, record: Round) -> bool:
    """People have labelled, changed or ignored something that the finished round did not know."""
    now = labels_learned(project)["gold_digest"]
    return bool((record.metrics or {}).get("gold_digest", now) != now)


def say_what_changed(project: Project, before: Round, after: Round) -> None:
    """How the verdicts of the later round differ from the earlier one's, on what nobody has labelled."""
    then, now = before.metrics or {}, after.metrics or {}
    if before.fit is None or after.fit is None or then["gold_digest"] == now["gold_digest"]:
        return
    verdicts = project.store.verdicts
    labelled = {item.id for item in fit_items(project)}
    both = sorted(verdicts.confidences(before.fit).keys() & verdicts.confidences(after.fit).keys() - labelled)
    if not both:
        return
    old, new = verdicts.get(before.fit, both), verdicts.get(after.fit, both)
    project.say(
        f"run {after.run} round {after.number}: {count(now['gold'], 'label')} instead of {then['gold']};"
        f" {int((old.labels != new.labels).sum())} of {len(both)} other verdicts changed,"
        f" their mean confidence {old.confidences.mean():.3f} -> {new.confidences.mean():.3f}"
    )
