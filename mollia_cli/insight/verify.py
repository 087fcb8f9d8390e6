"""``mollia verify``: whether the project's rows are as mollia has written them."""

from dataclasses import dataclass

from mollia_cli.project.context import Project
from mollia_cli.store.verify import Finding


@dataclass(frozen=True, slots=True)
class Verified:
    """Rows by table and journal entries that were compared, and what was found; ``head``: the hash of the last entry.

    ``since``: entries behind the head that was asked for, None without one. ``unproven``: who has observed from behind
    a server, whose model is what the server says of itself; its rows are compared like all others.
    """

    ok: bool
    entries: int
    head: str
    since: int | None
    rows: dict[str, int]
    findings: tuple[Finding, ...]
    unproven: tuple[str, ...]


def verify(project: Project, head: str = "") -> Verified:
    """Compare journal and tables; ``head``: a hash that an earlier verification printed.

    A chain of digests shows any change that was made without it. It does not show that somebody has
    written the tables and the whole chain anew, or has cut off its end with the rows: for that, its head
    must have been written down elsewhere, and be given here.
    """
    found = project.store.verify(head)
    observations = project.store.observations
    observers = [observations.annotator(row["key"]) for row in observations.summary()]
    unproven = tuple(name for name, identity in observers if identity.get("annotator") == "server")
    return Verified(
        not found.findings, found.entries, found.head, found.since, found.rows, tuple(found.findings), unproven
    )
