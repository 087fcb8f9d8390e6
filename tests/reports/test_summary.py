"""The summary in plain words."""

from dataclasses import replace

import pytest

from mollia_cli.domain.printable import count
from mollia_cli.domain.report import LabelsAlone, LLMsAdd, Measurement
from mollia_cli.reports.sections.summary import sentences
from mollia_cli.reports.words import duration, percent

from .samples import curve, full_report, new_report


def test_what_is_known_is_said() -> None:
    found = list(sentences(full_report(("spam", "ham", "other"))))
    assert found[0] == (
        "The project has 3 labels (spam, ham, other). It holds 70 queries in the pool, 70 queries in the seed set."
    )
    assert found[1] == (
        "2 LLMs have read 70 queries. The best of them alone, ada, has an accuracy of 50% on 50 seed items"
        " (drawn at random) (95% interval 40% to 60%)."
    )
    assert "accuracy of 75% on 12 items (50% to 90%)" in found[2] and "10 points off on average (ECE 0.100)" in found[2]
    assert found[-6].startswith(
        "After 1 round and 100 labelled items, test micro-F1 is 0.700: 0.100 more than the 0.600 of the 50 seeds alone."
    )
    assert found[-3] == "The LLMs have read 2,800 tokens in 25 s, on this machine alone."
    assert found[-2].startswith("People: 1 label (") and found[-2].endswith("), 0 ignored, 2 notes.")
    assert found[-1] == "1 of 1 labels contradicted the verdict (100%)."


def test_the_llms_work_stands_beside_what_the_labels_are_worth_alone() -> None:
    report = full_report()
    assert isinstance(report.labels_alone, LabelsAlone) and isinstance(report.llms_add, LLMsAdd)
    found = list(sentences(report))
    row = next(n for n, words in enumerate(found) if words.startswith("The same gold labels alone"))
    assert "an accuracy of 70% on 12 items (40% to 90%): labels alone (linear, " in found[row]
    assert found[row + 1].startswith("The LLMs add nothing here that can be measured: the accuracy of the verdicts of ")
    assert found[row + 1].endswith("less that of the labels alone is +0.050 (-0.200 to +0.300), on 50 seed items.")
    for better in ({"lower": 0.01}, {"lower": None, "upper": None}):
        found = list(sentences(replace(report, llms_add=replace(report.llms_add, **better))))
        assert not [words for words in found if "add nothing" in words]


def test_a_loss_is_called_a_loss_and_one_run_a_single_one() -> None:
    report = replace(full_report(), curves=(curve("main", "panel", 1, 0.8, 0.75),))
    (said,) = [words for words in sentences(report) if words.startswith("After")]
    assert "0.050 less than the 0.800" in said
    assert "chance alone may explain" in said


def test_of_few_items_no_interval_is_said() -> None:
    report = full_report()
    few = tuple(replace(m, lower=None, upper=None) for m in report.measurements if isinstance(m, Measurement))
    found = list(sentences(replace(report, measurements=few)))
    assert "accuracy of 75% on 12 items." in found[2]


def test_of_a_new_project_little_is_said() -> None:
    (only,) = sentences(new_report())
    assert only.endswith("It holds no texts yet.")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "not measured"),
        (0.04, "0.0 s"),
        (59.4, "59 s"),
        (59.9, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7260, "2 h 01 min"),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_counts() -> None:
    assert [count(1, "query"), count(2, "query"), count(2, "day"), count(1234, "item")] == [
        *("1 query", "2 queries", "2 days", "1,234 items")
    ]
    assert percent(0.756) == "76%"
