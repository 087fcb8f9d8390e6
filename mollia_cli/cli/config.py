"""``mollia config``."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from mollia_cli.cli.common import JsonListOption, ProjectOption, RunOption, emit, emit_json, emit_list, open_project
from mollia_cli.domain.printable import printable_json

_COLUMNS = ["key", "value", "source", "default", "run"]


def config(
    key: Annotated[str, typer.Argument(help="One setting, such as run.batch. Default: all of them.")] = "",
    run: RunOption = "",
    project: ProjectOption = None,
    as_json: JsonListOption = False,
) -> None:
    """Show what is set, and where from: mollia.toml, the default, or a variable of the environment.

    run: what the run keeps instead, because it was opened with it. With a key only its value is printed,
    or with --json all of the setting.

    Example: mollia config learner.encoder
    """
    from mollia_cli.insight.config import config as read
    from mollia_cli.insight.config import setting

    with open_project(project, several=True) as opened:
        if key:
            one = setting(opened, key, run)
            if as_json:
                emit_json([asdict(one)])
                return
            emit(_words(one.value))
            return
        rows = [asdict(row) for row in read(opened, run)]
    emit_list(rows, _COLUMNS, as_json, {"value": _words, "default": _words, "run": _words})


def _words(value: Any) -> str:
    """A value as mollia.toml writes it, texts without their quotes."""
    return "" if value is None else value if isinstance(value, str) else printable_json(value)
