"""What people's labels changed, in words."""

from collections.abc import Iterator
from typing import Any

from mollia_cli.reports.words import accuracy_words


def people_lines(found: dict[str, Any]) -> Iterator[str]:
    """A few lines from a ``corrections`` object; none where nobody has decided anything."""
    if not (found["labels"] or found["ignored"] or found["notes"]):
        return
    by = ", ".join(f"{who} {n}" for who, n in found["by"].items())
    seeds = f", {found['seed']} of them seeds" if found["seed"] else ""
    given = f"{found['labels']} labels ({by}{seeds})" if by else "no labels"
    yield f"people: {given}, {found['ignored']} ignored, {found['notes']} notes"
    if found["reviewed"]:
        share = found["contradicted"] / found["reviewed"]
        yield f"  {found['contradicted']} of {found['reviewed']} labels contradicted the verdict ({share:.0%})"
    if (right := found["accuracy"]) is not None:
        now = "no newer aggregation" if right["after"] is None else f"{right['after']:.3f} by the last aggregation"
        yield (
            f"  right verdicts on {right['items']} items of known label: {right['before']:.3f} before,"
            f" {right['with_labels']:.3f} with the labels in place, {now}"
        )
    if (above := found["threshold"]) is not None:
        promise = (
            f"  verdicts from confidence {above['confidence']:.3f} on should be right {above['target']:.0%} of the time"
        )
        if above["reviewed"]:
            yield (
                f"{promise}: people agreed with"
                f" {accuracy_words(above['precision'], above['reviewed'], above['lower'], above['upper'])}"
                f" of {above['reviewed']} drawn at random"
            )
        else:
            yield f"{promise}: nobody has looked at one drawn at random (mollia review --strategy random)"
