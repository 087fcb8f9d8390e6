"""Prompt templates."""

from dataclasses import replace

import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.prompting import Prompt
from mollia_cli.prompts import builtin_template, render

EXAMPLES = tuple((f"text {number}", "human") for number in range(4))

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


def test_a_question_names_its_label_behind_the_text() -> None:
    template = builtin_template("question")
    prompt = render(template, LabelSet(("no", "yes")), "message", "T.", asked="billing (about money)")
    assert "Label: billing (about money)\n" in prompt.after
    assert "one of these: no, yes," in prompt.after
    with pytest.raises(InputError, match="does not hold the placeholder \\{label\\}"):
        render("{text}", LabelSet(("no", "yes")), "message", "T.", asked="billing")
    with pytest.raises(InputError, match="unknown placeholder \\{label\\}"):
        render(template, LABELS, "message", "T.")


def test_any_change_is_another_identity() -> None:
    prompts = [
        render("a {text}", LABELS, "q", "t"),
        render("a {text} b", LABELS, "q", "t"),
        replace(render("a {text}", LABELS, "q", "t"), shots=(("x", "human"),)),
        replace(render("a {text}", LABELS, "q", "t"), others=(("x", "human"),)),
    ]
    assert len({prompt.digest for prompt in prompts}) == 4


def test_each_half_of_the_items_has_its_own_worked_examples() -> None:
    prompt = Prompt("a ", "", EXAMPLES[:2], EXAMPLES[2:])
    assert prompt.halves == (Prompt("a ", "", EXAMPLES[:2]), Prompt("a ", "", EXAMPLES[2:]))
    halves = [prompt.half_of(Item(f"id {number}", f"other {number}"), 7) for number in range(1000)]
    assert 400 < sum(halves) < 600
    assert halves == [prompt.half_of(Item(f"id {number}", "whatever"), 7) for number in range(1000)]
    assert halves != [prompt.half_of(Item(f"id {number}", "whatever"), 8) for number in range(1000)]


def test_no_text_is_read_with_its_own_label() -> None:
    prompt = Prompt("a ", "", EXAMPLES[:2], EXAMPLES[2:])
    for number in range(50):  # whatever its id
        for text, _ in EXAMPLES:
            half = prompt.half_of(Item(f"id {number}", text), 7)
            assert text not in dict(prompt.halves[half].shots)


def test_without_other_examples_there_is_one_prompt() -> None:
    prompt = Prompt("a ", "")
    assert prompt.halves == (prompt,)
    assert {prompt.half_of(Item(str(number), "x"), 7) for number in range(50)} == {0}
