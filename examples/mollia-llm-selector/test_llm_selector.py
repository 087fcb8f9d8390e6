"""What the strategy picks, and what it asks; that it is found and run by mollia is in mollia's tests/docs."""

import numpy as np
from mollia_llm_selector import Llm

from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.rng import stream
from mollia_cli.prompts import render
from mollia_cli.strategies.base import Signals


def test_the_surest_yes_comes_first() -> None:
    signals = Signals(("a", "b", "c"), answers=np.array([0.2, 0.7, 0.7]))
    assert [(pick.id, pick.score) for pick in Llm().select(signals, 2, stream(0))] == [("b", 0.7), ("c", 0.7)]


def test_the_question_names_the_labels_and_ends_with_what_to_answer() -> None:
    message = render(Llm.question, LabelSet(("billing", "results")), "message", "").message("Where is my bill?")
    assert "these categories apart: billing, results." in message
    assert message.endswith(
        "Message: Where is my bill?\n\nWould the classifier learn much from this message? Answer yes or no:"
    )
