"""What is left, as bars and runs say it."""

import pytest

from mollia_cli.cli.progress import duration, time_left
from mollia_cli.cli.rounds import summary_of_run
from mollia_cli.store.runs import Round


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")]
)
def test_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_bar_goes_by_all_that_has_passed() -> None:
    """Ten texts in 10 s, then the machine is four times slower: the estimate follows."""
    assert time_left(10.0, 10, 100) == "90 s left" or time_left(10.0, 10, 100) == "2 min left"
    assert time_left(50.0, 20, 100) == "3 min left"
    assert time_left(5.0, 0, 100) == ""


def test_a_run_says_what_is_left_at_the_pace_of_its_rounds() -> None:
    def done(number: int) -> Round:
        seconds = {"select": 10.0, "train": 50.0}
        return Round("main", number, None, seconds=seconds, metrics={"of_rounds": 3})  # type: ignore[call-arg]

    assert "left" not in summary_of_run(done(0))
    assert summary_of_run(done(1)).endswith("; 2 rounds left")  # it reads what the aggregator learns from, too
    assert summary_of_run(done(2)).endswith("; 1 round left, about 60 s")
    assert "left" not in summary_of_run(done(3))
