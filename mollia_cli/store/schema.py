"""What ``schema.sql`` says: the statements of the schema, and what its tables and views mean to who reads them by SQL.

``python -m mollia_cli.store.schema > docs/database.md`` writes the reference; tests compare both with the database.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

_CREATE = re.compile(r"^CREATE (TABLE|VIEW) (\w+) \(\n(.*?)\n\)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view. ``columns``: name -> meaning, in their order."""

    about: str
    columns: dict[str, str]
    is_view: bool


def statements() -> list[str]:
    """The SQL statements that make the database, in their order."""
    sql = (resources.files("mollia_cli.store") / "schema.sql").read_text(encoding="utf-8")
    _head, *made = sql.strip().split("\n\n")
    return made


def _tables() -> Iterator[tuple[str, Table]]:
    for statement in statements():
        made = _CREATE.search(statement)
        if made is not None:
            kind, name, columns = made.groups()
            about = " ".join(line.removeprefix("-- ") for line in statement[: made.start()].splitlines())
            yield name, Table(about, _meanings(columns), kind == "VIEW")


def _meanings(lines: str) -> dict[str, str]:
    """By column: the comment behind it, and the lines of nothing but comment below it."""
    found: dict[str, list[str]] = {}
    for line in lines.splitlines():
        code, comment, meaning = line.partition("-- ")
        if code.strip():
            last = found.setdefault(code.split()[0].rstrip(","), [])
        if comment:
            last.append(meaning)
    # a line without a comment is a constraint; a column without one fails the test of docs/database.md
    return {name: " ".join(meaning) for name, meaning in found.items() if meaning}


TABLES = dict(_tables())
"""By name, in the order of the file: the views first."""


def reference() -> str:
    """docs/database.md."""
    parts = [_INTRODUCTION]
    for title, views in (("Views, for people", True), ("Tables", False)):
        parts.append(f"## {title}\n")
        for name, table in TABLES.items():
            if table.is_view == views:
                rows = "\n".join(f"| `{column}` | {meaning} |" for column, meaning in table.columns.items())
                parts.append(f"### `{name}`\n\n{table.about}\n\n| column | meaning |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


_INTRODUCTION = """\
# The project's database

<!-- Written by `python -m mollia_cli.store.schema > docs/database.md`; a test compares it with the schema. -->

`mollia.db` in a project's folder is one SQLite file (WAL mode; readable by its owner only). Read it with

```console
$ mollia sql                                     # the views and tables, with their columns
$ mollia sql "select source, count(*) from labelled_items group by source"
$ mollia sql "select text, label, confidence from current_verdicts order by confidence limit 20" --csv > uncertain.csv
$ datasette mollia.db                            # in a browser: the views below are what to look at
```

`mollia sql` opens it read-only: whatever would write, attach another file or change a setting is refused. Write to it
by mollia's commands alone. New versions add tables, views and columns and do not take any away.
"""

if __name__ == "__main__":
    print(reference(), end="")
