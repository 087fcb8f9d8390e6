"""No criterion: the number of rounds alone ends the run."""

from dataclasses import dataclass
from typing import ClassVar

from mollia_cli.stopping.base import Criterion, History


@dataclass(frozen=True)
class Rounds(Criterion):
    """Never stops."""

    name: ClassVar[str] = "rounds"
    source: ClassVar[str] = "a fixed number of rounds"
    looks: ClassVar[bool] = False

    def _reason(self, history: History) -> str:
        return ""
