"""``mollia sql``: read the project's database."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mollia_cli.project.context import Project
from mollia_cli.store.query import query
from mollia_cli.store.schema import TABLES


@dataclass(frozen=True, slots=True)
class Records:
    """Column names and the rows as dictionaries, streaming."""

    columns: tuple[str, ...]
    rows: Iterator[dict[str, Any]]


def ask(project: Project, sql: str) -> Records:
    """One SELECT on the project's database; see ``store.query.query`` for what is refused."""
    answer = query(project.store.path, sql)
    return Records(answer.columns, (dict(zip(answer.columns, row, strict=True)) for row in answer.rows))


def tables() -> Records:
    """What can be asked for: a row for each view and table."""
    rows = (
        {
            "name": name,
            "kind": "view" if table.is_view else "table",
            "columns": list(table.columns),
            "about": table.about,
        }
        for name, table in TABLES.items()
    )
    return Records(("name", "kind", "columns", "about"), rows)
