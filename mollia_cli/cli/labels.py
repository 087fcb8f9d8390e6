"""``mollia labels``: what the labels are, and changing them with all that names them."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mollia_cli.cli.common import (
    JsonListOption,
    JsonOption,
    ProjectOption,
    YesOption,
    confirm,
    emit_json,
    emit_list,
    open_project,
    somebody_answers,
    talk,
)
from mollia_cli.cli.progress import duration
from mollia_cli.domain.printable import count

if TYPE_CHECKING:
    from mollia_cli.insight.labels import Change, Consequences

app = typer.Typer(no_args_is_help=True, help="The labels: list, add, rename, merge, remove.")
_COLUMNS = ["label", "seed", "validation", "test", "pool", "decisions", "synthetic", "verdicts", "description"]
OneLabel = Annotated[str, typer.Argument(help="The label.", metavar="LABEL")]


@app.command("list")
def list_(project: ProjectOption = None, as_json: JsonListOption = False) -> None:
    """Show the labels: the items of each split that have them, people's decisions, and current verdicts.

    Example: mollia labels list
    """
    from mollia_cli.insight.labels import list_labels

    with open_project(project, several=True) as opened:
        rows = [asdict(row) for row in list_labels(opened)]
    emit_list(rows, _COLUMNS, as_json)


@app.command()
def add(
    label: OneLabel,
    description: Annotated[str, typer.Option(help="What it means, for people and for the prompt.")] = "",
    yes: YesOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a label.

    Runs and verdicts do not know it: runs go with their classifiers, verdicts are no longer the current
    ones, and the LLMs have to read again. That is shown before, and asked.

    Example: mollia labels add refund --description "wants money back"
    """
    from mollia_cli.insight.labels import Change

    _change(Change("add", label, description=description), yes, project, as_json)


@app.command()
def rename(
    label: OneLabel,
    to: Annotated[str, typer.Argument(help="Its new name.", metavar="NEW")],
    yes: YesOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call a label otherwise: in mollia.toml, items, decisions, verdicts, synthetic texts and classifiers.

    Verdicts and runs stay. The prompt is another one, so that the LLMs have to read again before the next
    aggregation. A name that was changed in mollia.toml by hand is settled in the same way.

    Example: mollia labels rename complaint complaints
    """
    from mollia_cli.insight.labels import Change

    _change(Change("rename", label, to), yes, project, as_json)


@app.command()
def merge(
    label: OneLabel,
    into: Annotated[str, typer.Argument(help="The label that it becomes.", metavar="INTO")],
    yes: YesOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make one label of two: what people and files called LABEL is INTO.

    Runs and verdicts are of another number of labels: runs go with their classifiers, verdicts are no
    longer the current ones, and the LLMs have to read again. That is shown before, and asked.

    Example: mollia labels merge complaint billing
    """
    from mollia_cli.insight.labels import Change

    _change(Change("merge", label, into), yes, project, as_json)


@app.command()
def remove(
    label: OneLabel,
    yes: YesOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a label; what had it has none.

    Seed and validation items without a label go to the pool, people's decisions for it are taken back, texts
    that LLMs wrote for it go, and so do runs with their classifiers. Verdicts are no longer the current ones,
    and the LLMs have to read again. That is shown before, and asked.

    Example: mollia labels remove other
    """
    from mollia_cli.insight.labels import Change

    _change(Change("remove", label), yes, project, as_json)


def _change(change: "Change", yes: bool, project: ProjectOption, as_json: bool) -> None:
    from mollia_cli.insight.labels import change_labels, consequences

    with open_project(project, changing_labels=True) as opened:
        expected = consequences(opened, change)
        if touched := list(_touched(change, expected)):
            said = f"{_WHAT[change.kind].format(change=change)}: {'; '.join(touched)}"
            if yes or not somebody_answers():
                talk(said)
            confirm(said, yes)
        done = change_labels(opened, change)
    if as_json:
        emit_json(asdict(done))
        return
    talk(f"labels: {', '.join(done.labels)}")
    if done.deleted_runs or done.read_again:
        talk("next: mollia estimate (what reading again costs), then mollia run")


_WHAT = {
    "add": "{change.label!r} is added",
    "rename": "{change.label!r} will be called {change.to!r}",
    "merge": "{change.label!r} becomes {change.to!r}",
    "remove": "{change.label!r} is removed",
}


def _touched(change: "Change", expected: "Consequences") -> list[str]:
    """What a change touches, a clause each."""
    own = ((expected.items, "item"), (expected.decisions, "decision"), (expected.synthetic, "synthetic text"))
    named = ", ".join(count(n, what) for n, what in own if n)
    verb = "lose it" if change.kind == "remove" else "follow"
    clauses = [f"{named} {verb}"] if named else []
    if expected.verdicts and change.kind == "rename":
        clauses.append(f"{count(expected.verdicts, 'verdict')} will follow")
    elif expected.verdicts:
        clauses.append(f"no longer current: {count(expected.verdicts, 'verdict')}")
    if expected.deleted_runs:
        runs = ", ".join(expected.deleted_runs)
        clauses.append(f"these runs go for good, with their classifiers (mollia export model keeps one): {runs}")
    if expected.read_again:
        took = f" (they took {duration(expected.seconds)})" if expected.seconds else ""
        clauses.append(
            f"the prompt is another one, so that {expected.read_again} readings of LLMs have to be made again{took}"
        )
    return clauses
