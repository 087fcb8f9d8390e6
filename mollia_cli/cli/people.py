"""What people's labels changed; ``mollia status`` and ``mollia report panel`` say it."""

from typing import Any

from mollia_cli.cli.common import emit
from mollia_cli.domain.printable import printable
from mollia_cli.reports.people import people_lines


def show_people(found: dict[str, Any]) -> None:
    """A few lines from a ``corrections`` object."""
    for line in people_lines(found):
        emit(printable(line))
