"""Performance convergence: the classifier's performance no longer rises."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mollia_cli.domain.printable import count
from mollia_cli.stopping.base import Criterion, History


@dataclass(frozen=True)
class Plateau(Criterion):
    """Stops when median(p_{r-w+1} .. p_r) - median(p_{r-w} .. p_{r-1}) < epsilon, w = ``window`` rounds.

    p_r is the micro-F1 on gold validation items where the project has some; else the classifier's own
    estimate of it, its mean largest probability over the stop set, which costs no label. The best p must
    lie before the last w rounds or be no more than epsilon above what came before: a curve that still
    sets records by more than that goes on.
    """

    name: ClassVar[str] = "plateau"
    source: ClassVar[str] = "Laws & Schuetze, Stopping Criteria for Active Learning of NER, COLING 2008 (gradient)"

    window: int = 3
    epsilon: float = 0.005

    def _reason(self, history: History) -> str:
        measured = len(history.scores) > 0
        rounds = len(history.scores) if measured else len(history.opinions)
        if rounds < self.window + 1 or not (measured or history.opinions.size):
            return ""
        p = history.scores if measured else history.opinions.max(axis=2).mean(axis=1)
        gradient = float(np.median(p[-self.window :]) - np.median(p[-self.window - 1 : -1]))
        record = float(p[-self.window :].max() - p[: -self.window].max())
        if max(gradient, record) >= self.epsilon:
            return ""
        what = "micro-F1 on the validation items" if measured else "estimated performance (mean confidence)"
        return f"{what} no longer rises: {p[-1]:.3f}, {max(gradient, record):+.4f} in {count(self.window, 'round')}"
