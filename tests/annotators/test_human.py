"""A person as an annotator."""

import pytest

from mollia_cli.annotators.human import HumanAnnotator
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet


@pytest.mark.parametrize(
    ("answers", "label", "asked"),
    [
        (["2"], 1, 1),
        (["complaint\n"], 2, 1),
        (["R"], 1, 1),
        (["", "x", "4", "0", "b"], 0, 5),
        (['"Billing".'], 0, 1),
    ],
)
def test_numbers_names_and_beginnings(labels: LabelSet, answers: list[str], label: int, asked: int) -> None:
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return answers[len(questions) - 1]

    [[seen]] = HumanAnnotator("human", labels, ask).annotate([Item("a", "Who pays?")])
    assert seen.votes.argmax() == label
    assert seen.log_probs[label] == 0.0
    assert seen.votes.sum() == 1.0
    assert len(questions) == asked
    assert "Who pays?" in questions[0]
    assert all("is no label" in question for question in questions[1:])


def test_labels_that_are_numbers_mean_themselves() -> None:
    [[seen]] = HumanAnnotator("human", LabelSet(("3", "1", "2")), lambda question: "3").annotate([Item("a", "")])
    assert seen.votes.argmax() == 0


def test_every_answer_comes_at_once(labels: LabelSet) -> None:
    answered: list[str] = []

    def ask(question: str) -> str:
        answered.append(question)
        return "1"

    batches = HumanAnnotator("human", labels, ask).annotate([Item("a", "A"), Item("b", "B")])
    next(batches)
    assert len(answered) == 1
