"""``mollia status``."""

from dataclasses import asdict

from mollia_cli.cli.common import JsonOption, ProjectOption, emit, emit_json, open_project, table
from mollia_cli.cli.people import show_people
from mollia_cli.cli.rounds import round_row, rounds_table
from mollia_cli.domain.printable import count, printable


def status(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Show what there is and what to type next.

    Example: mollia status --json | jq .items
    """
    from mollia_cli.insight.status import next_step
    from mollia_cli.insight.status import status as read

    with open_project(project, several=True) as opened:
        found = read(opened)
    if as_json:
        emit_json(asdict(found) | {"rounds": [round_row(record) for record in found.rounds]})
        return
    several = ", of which a text may have several" if found.multilabel else ""
    emit(printable(f"{found.project}: {count(len(found.labels), 'label')} ({', '.join(found.labels)}){several}"))
    table(["split", "items", "with a true label"], [[s, c["items"], c["labelled"]] for s, c in found.items.items()])
    if found.synthetic:
        written = ", ".join(f"{label} {n}" for label, n in found.synthetic.items())
        emit(printable(f"synthetic texts, in no split: {written}"))
    table(
        ["model", "kind", "installed"],
        [[m.name, m.kind + ", classifier" * m.classifier, "yes" if m.installed else "no"] for m in found.models],
    )
    if found.annotators:
        table(
            ["annotator", "items", "mean label mass", "invalid rate", "tokens"],
            [
                [f"{a.name}: {a.question}" if a.question else a.name, a.items, a.mass, a.invalid, a.tokens]
                for a in found.annotators
            ],
        )
    show_people(found.people)
    if found.rounds:
        rounds_table(found.rounds, f"run {found.run}")
    if found.stopped:
        emit(f"run {found.run} has ended: {found.stopped}")
    emit(f"next: {next_step(found)}")
