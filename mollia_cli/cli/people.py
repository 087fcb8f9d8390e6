"""What people's labels changed; ``mollia status`` and ``mollia report panel`` show it."""

from mollia_cli.cli.common import emit
from mollia_cli.domain.people import Corrections
from mollia_cli.domain.printable import printable
from mollia_cli.reports.people import people_lines


def show_people(found: Corrections) -> None:
    """A few lines on what people decided."""
    for line in people_lines(found):
        emit(printable(line))
