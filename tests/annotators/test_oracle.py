"""True labels as an annotator."""

import pytest

from mollia_cli.annotators.oracle import OracleAnnotator
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet


def test_each_item_gets_its_own_label_with_certainty(labels: LabelSet) -> None:
    [[one, other]] = OracleAnnotator("oracle", labels).annotate([Item("a", "A", label=2), Item("b", "B", label=0)])
    assert (one.item_id, one.votes.tolist(), other.votes.tolist()) == ("a", [0, 0, 1], [1, 0, 0])
    assert (one.log_probs[2], one.mass, one.invalid) == (0.0, 1.0, 0.0)


def test_an_item_without_one_is_an_error_that_counts_and_names(labels: LabelSet) -> None:
    items = [Item("a", "A", label=2), Item("b", "B"), Item("c", "C")]
    with pytest.raises(InputError, match=r"no true label of 2 items is known \(first b\)"):
        list(OracleAnnotator("oracle", labels).annotate(items))
