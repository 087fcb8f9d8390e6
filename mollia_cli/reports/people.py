"""What people's labels changed, as lines of text."""

from collections.abc import Iterator

from mollia_cli.domain.printable import count
from mollia_cli.domain.report import Corrections
from mollia_cli.reports.words import accuracy_words


def people_lines(found: Corrections) -> Iterator[str]:
    """A few lines; none where nobody has decided anything."""
    if not (found.labels or found.ignored or found.notes):
        return
    by = ", ".join(f"{who} {n}" for who, n in found.by.items())
    seeds = f", {found.seed} of them seeds" if found.seed else ""
    given = f"{count(found.labels, 'label')} ({by}{seeds})" if by else "no labels"
    yield f"people: {given}, {found.ignored} ignored, {count(found.notes, 'note')}"
    if found.reviewed:
        share = found.contradicted / found.reviewed
        yield f"  {found.contradicted} of {found.reviewed} labels contradicted the verdict ({share:.0%})"
    if (effect := found.accuracy) is not None:
        now = "no newer aggregation" if effect.after is None else f"{effect.after:.3f} by the last aggregation"
        yield (
            f"  accuracy of the verdicts on {count(effect.items, 'item')} of known label: {effect.before:.3f} before,"
            f" {effect.with_labels:.3f} with the labels in place, {now}"
        )
    if (check := found.threshold) is not None:
        promise = f"  target precision {check.target:.0%} of verdicts from confidence {check.confidence:.3f} on"
        if check.precision is None:
            yield f"{promise}: nobody has reviewed one drawn at random (mollia review --strategy random)"
        else:
            precision = accuracy_words(check.precision, check.reviewed, check.lower, check.upper)
            yield f"{promise}: people agreed with {precision} of {check.reviewed} drawn at random"
