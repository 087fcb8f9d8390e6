"""A budget of tokens or minutes."""

from dataclasses import dataclass
from typing import ClassVar

from mollia_cli.stopping.base import Criterion, History


@dataclass(frozen=True)
class Budget(Criterion):
    """Stops after the round in which ``tokens`` or ``minutes`` are used up; 0 is no limit."""

    name: ClassVar[str] = "budget"
    source: ClassVar[str] = "a fixed budget, the usual setting of active learning (Settles 2009, section 6.7)"
    looks: ClassVar[bool] = False

    tokens: int = 0
    minutes: float = 0.0

    def _reason(self, history: History) -> str:
        if 0 < self.tokens <= history.tokens:
            return f"the budget of {self.tokens:,} tokens is used up: {history.tokens:,}"
        if 0 < self.minutes <= history.minutes:
            return f"the budget of {self.minutes:g} minutes is used up: {history.minutes:.1f}"
        return ""
