"""``mollia rerun``."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mollia_cli.cli.common import JsonOption, ProjectOption, emit, emit_json, open_project, table, talk
from mollia_cli.domain.errors import EXIT_FAILURE

if TYPE_CHECKING:
    from mollia_cli.insight.rerun import Rerun


def rerun(
    run: Annotated[str, typer.Argument(help="The run.")],
    check: Annotated[
        bool, typer.Option("--check", help="The exit status is 1 where it does not come out the same.")
    ] = False,
    ask_again: Annotated[bool, typer.Option("--ask-again", help="Ask the LLMs anew.")] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Repeat a run from its record and say where it comes out otherwise.

    Settings, seed and prompt are those that the run was opened with. It is repeated in a copy within the
    project, which is gone afterwards; no LLM is asked again unless --ask-again. Selections, verdicts, metrics
    and weights are compared. With learner.threads = 1 they are equal bit for bit on the same machine and versions.

    Example: mollia rerun main --check
    """
    from mollia_cli.insight.rerun import rerun as repeat

    with open_project(project) as opened:
        found = repeat(opened, run, ask_again)
    for remark in found.remarks:
        talk(remark)
    if as_json:
        emit_json(asdict(found))
    else:
        _show(found)
    if check and not found.same:
        raise typer.Exit(EXIT_FAILURE)


def _show(found: "Rerun") -> None:
    if found.differences:
        rows = [[d.round, d.what, d.detail, d.within] for d in found.differences]
        table(["round", "what", "difference", "within tolerance"], rows)
    result = "bit for bit the same" if found.identical else "the same" if found.same else "not the same"
    emit(f"{found.run}: {found.compared} of {found.rounds} rounds compared, {result}")
