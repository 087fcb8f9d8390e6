"""``mollia verify``: whether the project's rows are as mollia has written them."""

from dataclasses import asdict
from typing import Any

from mollia_cli.project.context import Project


def verify(project: Project, head: str = "") -> dict[str, Any]:
    """Journal and tables compared, JSON-ready; ``head``: a hash that an earlier verification printed.

    A chain of digests shows any change that was made without it. It does not show that somebody has
    written the tables and the whole chain anew, or has cut off its end with the rows: for that, its head
    must have been written down elsewhere, and be given here.
    """
    found = project.store.verify(head)
    return {
        "ok": not found.findings,
        "entries": found.entries,
        "head": found.head,
        **({"since": found.since} if head else {}),
        "rows": found.rows,
        "findings": [asdict(finding) for finding in found.findings],
    }
