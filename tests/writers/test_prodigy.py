"""Whose labels are answers in Prodigy, and whose are proposals."""

import io
import json

import pytest

from mollia_cli.writers import Target
from mollia_cli.writers.prodigy import write


@pytest.mark.parametrize(("source", "answer"), [("human", "accept"), ("gold", "accept"), ("molam", None)])
def test_a_persons_label_is_answered_as_gold_is_and_an_aggregators_is_not(source: str, answer: str | None) -> None:
    row = {"id": "1", "text": "t", "label": "a", "confidence": 1.0, "source": source, "who": "ann", "negatives": []}
    out = io.StringIO()
    assert write([row], out, Target(("a", "b"))) == 1
    task = json.loads(out.getvalue())
    assert task.get("answer") == answer
    assert task["accept"] == ["a"]
    assert task["meta"] == {"id": "1", "source": source, "who": "ann", "confidence": 1.0}
