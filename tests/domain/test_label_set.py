"""What makes a label set another one, and how labels are meant by name."""

import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.labels import LabelSet


def test_names_order_and_descriptions_are_its_identity() -> None:
    sets = [
        LabelSet(("a", "b")),
        LabelSet(("b", "a")),
        LabelSet(("a", "b"), ("first", "")),
        LabelSet(("a", "b"), ("", "first")),
        LabelSet(("a", "b", "c")),
    ]
    assert len({one.digest for one in sets}) == len(sets)
    assert LabelSet(("a", "b"), ("", "")).digest == LabelSet(("a", "b")).digest


def test_a_label_is_found_whatever_its_case_and_quotes() -> None:
    labels = LabelSet(("Spam", "ham", "10"))
    assert [labels.index(name) for name in ("Spam", "SPAM", '"ham".', "10")] == [0, 0, 1, 2]
    with pytest.raises(InputError, match="'Spm' is not one of") as caught:
        labels.index("Spm")
    assert "did you mean 'Spam'?" in caught.value.hint


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a",), "two labels or more"),
        (("a", "A."), "read the same"),
        (("a", " b"), "spaces around"),
        (("a", ""), "empty"),
        (("a", "b\nc"), "control character"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError) as caught:
        LabelSet(names)
    assert said in caught.value.message + caught.value.hint
