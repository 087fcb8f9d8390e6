"""Chat templates: a stranger's code, run around a text that is not there yet."""

import os
import sys

import pytest

from mollia_cli.annotators.llama.decode.templates import SENTINEL, around_text, render
from mollia_cli.annotators.llama.guard.sandbox import SECONDS
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.prompting import Prompt

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PROMPT = Prompt("Sort this: ", "\nAnswer:")


def around(template: str | None, prompt: Prompt = PROMPT) -> tuple[str, str]:
    return around_text(prompt, template, bos="<s>", eos="</s>")


def test_splits_where_the_text_will_stand() -> None:
    assert around(CHATML) == (
        "<|im_start|>user\nSort this: ",
        "\nAnswer:<|im_end|>\n<|im_start|>assistant\n",
    )


def test_shots_are_earlier_turns() -> None:
    before, after = around(CHATML, Prompt("Sort this: ", "", shots=(("a bill", "billing"),)))
    assert before == (
        "<|im_start|>user\nSort this: a bill<|im_end|>\n<|im_start|>assistant\nbilling<|im_end|>\n"
        "<|im_start|>user\nSort this: "
    )
    assert after == "<|im_end|>\n<|im_start|>assistant\n"


def test_a_base_model_completes_a_document() -> None:
    prompt = Prompt("Text: ", "\nLabel: ", shots=(("a bill", "billing"),))
    assert around(None, prompt) == ("Text: a bill\nLabel: billing\n\nText: ", "\nLabel:")


def test_no_system_turn_is_sent() -> None:
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML
    assert around(template)[0].endswith("Sort this: ")


@pytest.mark.parametrize(
    ("generation", "expected"),
    [
        ("<think>\n", "<think>\n\n</think>\n\n"),  # the template opens it
        ("", "<think>\n\n</think>\n\n"),  # the model would open it
        ("{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}", "<think>\n\n</think>\n\n"),  # it can be told
    ],
)
def test_reasoning_is_closed(generation: str, expected: str) -> None:
    history = "{% if '</think>' in messages[0].content %}{% endif %}"
    assert around(history + CHATML + generation)[1].endswith("assistant\n" + expected)


def test_the_date_does_not_change_the_prompt() -> None:
    assert render("{{ strftime_now('%d %B %Y') }}", [], bos="", eos="") == "26 July 2024"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ messages[0]['content'] }}{{ messages[0]['content'] }}", "2 times"),
        ("Hello", "0 times"),
        ("{% for m in messages %}", "fails"),
        ("{{ ''.__class__.__mro__ }}", "fails"),
        ("{{ cycler.__init__.__globals__ }}", "fails"),
        ("{{ messages.append({}) }}", "fails"),
        ("{{ 'x' * 1000000000 }}", "not allowed"),
        ("{{ 9 ** 9 }}", "not allowed"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}xxxxxxxxxx{% endfor %}{% endfor %}", "more than"),
        ("x" * 300_000, "at most"),
    ],
)
def test_a_bad_template_is_refused(template: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        around(template)


HOSTILE = {
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": "unsafe",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}": "unsafe",
    "{% include '/etc/passwd' %}": "no loader",
    "{% import 'os' as os %}": "no loader",
    "{% for i in range(10**9) %}{% endfor %}": "not allowed",
    "{% for i in range(1000000000) %}{% endfor %}": "Range too big",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}": "computing time",
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}": "time",
    "{% set n = namespace(x='a' * 60000) %}{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}": "memory",
    "{{ 'a' | center(2000000000) }}": "memory",
    "{{ '%2000000000d' % 1 }}": "memory",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}": "without end",
    "{{ " + "(" * 50_000: "without end",
    "{{ messages[0].nothing.more }}": "no attribute",
    "\ud800{{ messages[0].content }}\udfff{{ 1 // 0 }}": "by zero",
}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems bound the time alone")
@pytest.mark.parametrize("template", HOSTILE, ids=lambda template: template[:40].encode("ascii", "replace").decode())
def test_a_hostile_template_is_a_message_in_bounded_time(template: str) -> None:
    begin = os.times()
    with pytest.raises(RefusedError, match=HOSTILE[template]) as caught:
        around(template)
    end = os.times()
    assert len(caught.value.message) < 500 and caught.value.hint
    used = end.children_user + end.children_system - begin.children_user - begin.children_system
    assert used < 2 * SECONDS


def test_the_sentinel_is_no_ordinary_text() -> None:
    assert SENTINEL.strip() == SENTINEL
    assert all(not c.isascii() or c.isalpha() for c in SENTINEL)
