"""What people's labels changed, as lines of text."""

from collections.abc import Iterator

from mollia_cli.domain.people import Corrections, PeopleAgreement
from mollia_cli.domain.printable import count
from mollia_cli.reports.words import accuracy_words


def people_lines(found: Corrections) -> Iterator[str]:
    """A few lines; none where nobody has decided anything."""
    if not (found.labels or found.ignored or found.notes or found.disagreements):
        return
    by = ", ".join(f"{who} {n}" for who, n in found.by.items())
    seeds = f", {found.seed} of them seeds" if found.seed else ""
    given = f"{count(found.labels, 'label')} ({by}{seeds})" if by else "no labels"
    yield f"people: {given}, {found.ignored} ignored, {count(found.notes, 'note')}"
    yield from (f"  {line}" for line in agreement_lines(found.agreement))
    yield from _disagreement_lines(found)
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


def agreement_lines(found: PeopleAgreement | None) -> Iterator[str]:
    """How people agree on what several of them have labelled; none where nobody has a second time."""
    if found is None:
        return
    for pair in found.pairs:
        kappa = "undefined" if pair.cohen_kappa is None else f"{pair.cohen_kappa:.3f}"
        yield (
            f"{pair.first} and {pair.second} gave {pair.share:.0%} of {count(pair.items, 'item')} the same label:"
            f" Cohen's kappa {kappa} (agreement beyond chance)"
        )
    if len(found.pairs) > 1 and found.krippendorff_alpha is not None:
        yield f"all of them on {count(found.items, 'item')}: Krippendorff's alpha {found.krippendorff_alpha:.3f}"


def _disagreement_lines(found: Corrections) -> Iterator[str]:
    if found.adjudicated:
        yield "  disagreements settled by " + ", ".join(f"{who} {n}" for who, n in found.adjudicated.items())
    if found.disagreements:
        yield (
            f"  {count(found.disagreements, 'item')} that people disagree on, which count as unlabelled:"
            " mollia review --disagreements"
        )
