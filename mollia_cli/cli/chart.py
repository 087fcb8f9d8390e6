"""Learning curves as text, for a terminal."""

import shutil
from collections.abc import Iterator, Sequence

from mollia_cli.domain.report import Curve

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_WIDEST = 60  # columns of a bar


def curve_lines(curves: Sequence[Curve]) -> Iterator[str]:
    """A block of lines for each curve: labelled items, a bar that begins at 0 and would be full at 1, and the value.

    It is as wide as the terminal, or 80 columns where there is none.
    """
    drawn = [curve for curve in curves if curve.points]
    if not drawn:
        return
    first = max(len(f"{point.labelled}") for curve in drawn for point in curve.points)
    width = max(10, min(_WIDEST, shutil.get_terminal_size().columns - first - 12))
    for curve in drawn:
        yield f"{curve.name}: {curve.metric} by labelled items, from 0 to 1 (│)"
        for point in curve.points:
            yield f"  {point.labelled:>{first}} {bar(point.mean, width)}│ {point.mean:.3f}"
        yield ""


def bar(value: float, width: int) -> str:
    """A bar of ``width`` columns, filled to an eighth of one for a value from 0 to 1."""
    eighths = round(min(max(value, 0.0), 1.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(width)
