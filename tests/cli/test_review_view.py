"""What review draws: every label with its key, within the width."""

import numpy as np
import pytest

from mollia_cli.cli.review_view import KEYS, Labels, Opinion, bar, key_range, middle, shortened
from mollia_cli.domain.labels import LabelSet


def some_opinions(classes: int, n: int = 4) -> list[Opinion]:
    rng = np.random.default_rng(0)
    names = ["verdict", "qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct", "classifier", *map(str, range(n))]
    return [Opinion(name, rng.dirichlet(np.full(classes, 0.3))) for name in names[:n]]


@pytest.mark.parametrize("width", [40, 78, 138])
@pytest.mark.parametrize("classes", [2, 6, 30, 57, 80])
@pytest.mark.parametrize("opinions", [0, 1, 4, 9])
def test_every_label_has_its_key_and_nothing_is_wider_than_the_screen(width: int, classes: int, opinions: int) -> None:
    labels = LabelSet(tuple(f"label{k}" for k in range(classes)), tuple(f"meaning {k}" for k in range(classes)))
    drawn = Labels(labels, some_opinions(classes, opinions), verdict=1 if opinions else None).draw(width, 12)
    lines = drawn.plain.splitlines()
    assert max(len(line) for line in lines) <= width
    for k in range(classes):
        key = KEYS[k] if k < len(KEYS) else " "
        assert any(f"{key}  label{k}" in line for line in lines), k


def test_thirty_labels_and_four_opinions_leave_room_on_24_lines() -> None:
    labels = LabelSet(tuple(f"category {k}" for k in range(30)))
    drawn = Labels(labels, some_opinions(30), verdict=3).draw(78, 12).plain
    assert len(drawn.splitlines()) <= 12
    assert "▸ 4" in drawn
    assert "classifier" in drawn and "qwen2.5-1.5b" in drawn


def test_marks_are_no_colours() -> None:
    labels = LabelSet(("red", "green", "blue"))
    drawn = Labels(labels, some_opinions(3), verdict=0, decided=2).draw(78, 12).plain.splitlines()
    assert [line[:2].strip() for line in drawn] == ["", "▸", "", "✓"]


def test_an_opinion_that_is_not_there_yet_is_a_gap() -> None:
    labels = LabelSet(("red", "green"))
    assert "…" in Labels(labels, [Opinion("classifier", None)]).draw(78, 12).plain
    many = LabelSet(tuple(f"label{k}" for k in range(30)))
    assert "…" in Labels(many, [Opinion("classifier", None)]).draw(78, 12).plain


def test_long_names_are_cut() -> None:
    labels = LabelSet(tuple(f"{'very ' * 12}long name {k}" for k in range(3)))
    drawn = Labels(labels, some_opinions(3), verdict=0).draw(78, 12).plain
    assert max(map(len, drawn.splitlines())) <= 78
    assert "name 2" in drawn


def test_wide_characters_keep_the_columns() -> None:
    from rich.cells import cell_len

    labels = LabelSet(("気持ち", "ok", "とても長い名前のラベルですから切ります"))
    for width in (40, 78):
        drawn = Labels(labels, some_opinions(3, 2)).draw(width, 12).plain.splitlines()
        assert max(map(cell_len, drawn)) <= width


def test_bars() -> None:
    assert [bar(share, 4) for share in (0.0, 0.004, 0.006, 0.5, 1.0)] == ["", "", "▏", "██", "████"]


def test_names_are_cut_in_the_middle_and_shortened_to_what_tells_them_apart() -> None:
    assert middle("abcdefghij", 5) == "ab…ij"
    assert middle("abc", 5) == "abc"
    assert [o.name for o in shortened(some_opinions(2))] == ["verdict", "qwen2.5-0.5b", "qwen2.5-1.5b", "classifier"]
    alike = [Opinion("a-x-y", None), Opinion("a-y-x", None)]
    assert [o.name for o in shortened(alike)] == ["a-x-y", "a-y-x"]


def test_keys_of_so_many_labels() -> None:
    assert [key_range(n) for n in (2, 9, 10, 30, 40, 99)] == [
        "1-2",
        "1-9",
        "1-9 a-a",
        "1-9 a-y",
        "1-9 a-z A-I",
        "1-9 a-z A-Z",
    ]
    assert len(set(KEYS)) == len(KEYS) == 57
