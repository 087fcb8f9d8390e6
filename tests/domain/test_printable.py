"""What is shown cannot steer a terminal or a page, and JSON stays what it is."""

import json

import pytest

from mollia_cli.domain.printable import printable, printable_json

STEERING = (
    "\x1b]0;title\x07 \x1b[2J \x9b31m \u202eevil\u202c \u2066x\u2069 \u200f \ufeff \x00 \x7f \u2028 \U000e0041 \ud800"
)


def test_nothing_of_it_is_left() -> None:
    shown = printable(STEERING)
    assert shown.isprintable() and "\\u202eevil" in shown and "\\x1b[2J" in shown
    assert printable("a\tb\nc", keep="\n") == "a b\nc"


@pytest.mark.parametrize("text", ["fattura", "فاتورة", "发票", "счёт", "चालान", "😀", "é", "e\u0301"])
def test_every_script_stays_as_it_is(text: str) -> None:
    assert printable(text) == text and printable_json(text) == f'"{text}"'


@pytest.mark.parametrize("indent", [None, 2])
def test_json_reads_back_and_is_printable(indent: int | None) -> None:
    value = {STEERING: [STEERING, "é😀", 1.5, None], "lines": "a\nb\\u202e"}
    text = printable_json(value, indent)
    assert json.loads(text) == value
    assert text.replace("\n", "").isprintable() and "é😀" in text
