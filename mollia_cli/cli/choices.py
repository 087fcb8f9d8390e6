"""``mollia choices``."""

from dataclasses import asdict
from typing import Annotated

import typer

from mollia_cli.cli.common import JsonListOption, emit_list
from mollia_cli.insight.choices import FAMILIES


def _starting(incomplete: str) -> list[str]:
    """For the shell's completion."""
    return [family for family in FAMILIES if family.startswith(incomplete)]


def choices(
    families: Annotated[
        list[str] | None,
        typer.Argument(help=f"{', '.join(FAMILIES)}. Default: all.", autocompletion=_starting),
    ] = None,
    as_json: JsonListOption = False,
) -> None:
    """List what can be chosen: strategies, aggregators, annotators, engines, learners, stopping criteria, file formats.

    Each with what it is, the package that it comes from, and whether a new project uses it. Members of other
    packages that are installed are among them (docs/extending.md).

    Example: mollia choices strategies
    """
    from mollia_cli.insight.choices import choices as members

    records = (asdict(choice) for choice in members(*(families or ())))
    emit_list(list(records), ["family", "name", "default", "package", "summary"], as_json)
