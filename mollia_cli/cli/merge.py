"""``mollia merge``."""

from dataclasses import asdict
from typing import Annotated

import typer

from mollia_cli.cli.common import JsonOption, ProjectOption, emit_json, open_project, table, talk
from mollia_cli.domain.printable import count


def merge(
    files: Annotated[list[str], typer.Argument(help="Folders of copies of this project, or their mollia.db.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what they hold, and add nothing.")] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring home what copies of the project have observed.

    Each copy has annotated a part (`mollia annotate --part 1/3`), on this machine or another. Its observations are
    added under the identities that they were made with, all or none of them, and the journal records it. What is here
    already stays as it is, also where a copy has other numbers. Labels, decisions, verdicts and runs of a copy are not
    taken. A file that is not a copy of this project as mollia writes it is refused.

    Example: mollia merge part-1 part-2 part-3
    """
    from mollia_cli.insight.merge import merge as work

    with open_project(project, several=True) as opened:
        done = work(opened, files, dry_run)
    new = sum(annotator.new for file in done for annotator in file.annotators)
    if as_json:
        emit_json({"dry_run": dry_run, "new": new, "files": [asdict(file) for file in done]})
    else:
        rows = [[file.file, one.name, one.new, one.there, one.different] for file in done for one in file.annotators]
        if rows:
            table(["file", "LLM", "new", "there already", "different"], rows)
    would = "would be " if dry_run else ""
    talk(f"{count(new, 'new observation')} {would}added from {count(len(done), 'file')}")
