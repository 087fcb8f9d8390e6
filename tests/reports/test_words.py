"""Numbers in words."""

import pytest

from mollia_cli.domain.printable import count
from mollia_cli.reports.words import duration, interval, percent, share


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "not measured"), (0.0, "0.0 s"), (9.94, "9.9 s"), (10.0, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"),
        (3599.0, "59 min 59 s"), (3600.0, "1 h 00 min"), (7384.0, "2 h 03 min"), (90_000.0, "25 h 00 min"),
    ],
)  # fmt: skip
def test_durations_in_their_two_largest_units(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_counts_and_shares() -> None:
    counted = [count(*pair) for pair in ((1, "reply"), (2, "reply"), (2, "day"), (1500, "item"), (0, "LLM"))]
    assert counted == ["1 reply", "2 replies", "2 days", "1,500 items", "0 LLMs"]
    assert (share(None), share(0.12345), percent(0.125), percent(0.999)) == ("unknown", "0.123", "12%", "100%")
    assert (interval(0.1, 0.25), interval(None, 0.5)) == ("0.100 to 0.250", "unknown")
