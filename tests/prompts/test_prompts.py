"""Prompt templates."""

import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.prompts import builtin_template, render

LABELS = LabelSet(("human", "location"), ("people", ""))


def test_the_papers_prompt() -> None:
    prompt = render(builtin_template("paper"), LABELS, "question", "Determine the category.")
    assert prompt.message("Who was Galileo ?") == (
        "Classify the given question based on the following categories: human, location\n\n"
        "Task: Determine the category. Your response should be only one of these labels: human, location, "
        "with no additional text or explanation.\n\nQuestion: Who was Galileo ?\n\nOutput:"
    )


def test_descriptions() -> None:
    before = render(builtin_template("described"), LABELS, "question", "T.").before
    assert "- human: people\n- location\n" in before


def test_braces_in_a_text_are_text() -> None:
    assert render("{{json}} {text}", LABELS, "q", "t").message("{labels} }{") == "{json} {labels} }{"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("no place", "does not hold the placeholder {text}"),
        ("{text} {text}", "holds more than once"),
        ("{text} {lables}", "unknown placeholder {lables}"),
        ("{text} {}", "unknown placeholder {}"),
    ],
)
def test_a_wrong_template_is_refused_by_name(template: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        render(template, LABELS, "q", "t", source="my.txt")
    assert message in caught.value.message
    assert "my.txt" in caught.value.message


def test_any_change_is_another_identity() -> None:
    prompts = [
        render("a {text}", LABELS, "q", "t"),
        render("a {text} b", LABELS, "q", "t"),
        render("a {text}", LABELS, "q", "t", shots=[("x", "human")]),
    ]
    assert len({prompt.digest for prompt in prompts}) == 3
