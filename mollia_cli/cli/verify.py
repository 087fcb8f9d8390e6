"""``mollia verify``."""

from dataclasses import asdict
from typing import Annotated

import typer

from mollia_cli.cli.common import JsonOption, ProjectOption, emit, emit_json, open_project, table, talk
from mollia_cli.domain.errors import EXIT_FAILURE
from mollia_cli.domain.printable import count


def verify(
    head: Annotated[str, typer.Option(help="A head that was noted earlier: the journal must still hold it.")] = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare every row of the project with the journal of what mollia has written.

    Rows that were altered, added or removed by other means are named, and the exit status is 1. Note the
    head that is printed where others cannot write: whoever can write the database could write it all anew,
    journal included, and only a noted head, given with --head, shows that.

    Example: mollia verify --json | jq -r .head >> ~/heads-of-my-project.txt
    """
    from mollia_cli.insight.verify import verify as compare

    with open_project(project, several=True) as opened:
        found = compare(opened, head)
    if as_json:
        emit_json(asdict(found))
    else:
        if found.findings:
            table(["table", "row", "what", "why"], [[f.table, f.key, f.what, f.detail] for f in found.findings])
        rows, findings = count(sum(found.rows.values()), "row"), count(len(found.findings), "finding")
        emit(f"{rows}, {count(found.entries, 'entry')}, {findings}")
        emit(f"head: {found.head}")
        if found.since is not None:
            talk(f"the head that you gave is there, {count(found.since, 'entry')} ago")
        for name in found.unproven:
            talk(f"{name}: which model made its observations is its server's word, and is not proven")
    if not found.ok:
        raise typer.Exit(EXIT_FAILURE)
