"""``mollia report detectors``."""

from dataclasses import asdict

from mollia_cli.cli.common import JsonOption, ProjectOption, RunOption, emit_json, open_project, table, talk
from mollia_cli.domain.printable import count


def detectors(
    run: RunOption = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which sign gives the panel's wrong labels away?

    The aggregator's entropy and margin, the panel's consistency, and the discrepancy with the
    previous round's classifier, against the true labels of the pool. Each flags equally many.

    Example: mollia report detectors --run coreset
    """
    from mollia_cli.insight.detectors import known_verdicts
    from mollia_cli.reports.detectors import detections, suspicions

    with open_project(project) as opened:
        known = known_verdicts(opened, run)
    wrong = known.verdicts != known.gold
    rows = detections(suspicions(known.probabilities, known.votes, known.verdicts, known.predictions), wrong)
    if as_json:
        emit_json(
            {"run": known.run, "items": len(wrong), "wrong": int(wrong.sum()), "detectors": [asdict(r) for r in rows]}
        )
        return
    table(
        ["detector", "flagged", "wrong ones found", "precision", "accepted and right", "AUROC"],
        [[r.detector, r.flagged, r.found, r.precision, r.accepted_right, r.auroc] for r in rows],
    )
    talk(f"{known.run}: {count(len(wrong), 'verdict')}, {int(wrong.sum())} wrong")
