"""Stored outputs as annotators."""

import json
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.annotators.replay import ReplayAnnotator
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet

# two rows, two LLMs, three labels: z_1, c_1, z_2, c_2
STORED = np.array(
    [
        [[0.5, 0.2, 0.1], [0.6, 0.3, 0.0], [0.0, 0.9, 0.1], [0.0, 1.0, 0.0]],
        [[0.9, 0.9, 0.9], [0.0, 0.0, 1.0], [0.2, 0.2, 0.2], [0.5, 0.5, 0.0]],
    ]
)


@pytest.fixture
def array(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", STORED)
    return tmp_path / "x.npy"


def test_an_array_is_joined_by_row(array: Path, labels: LabelSet) -> None:
    first, second = ReplayAnnotator.panel(array, labels)
    assert [first.name, second.name] == ["llm1", "llm2"]
    [[later, earlier]] = first.annotate([Item("1", "b"), Item("0", "a")])
    assert (later.item_id, earlier.item_id) == ("1", "0")
    np.testing.assert_allclose(np.exp(earlier.log_probs), [0.5, 0.2, 0.1])
    np.testing.assert_allclose(earlier.votes, [0.6, 0.3, 0.0])
    assert earlier.mass == pytest.approx(0.8)
    assert earlier.invalid == pytest.approx(0.1)
    assert later.mass == 1.0
    [[other]] = second.annotate([Item("0", "a")])
    assert np.exp(other.log_probs).tolist() == pytest.approx([0.0, 0.9, 0.1])
    assert first.identity != second.identity


def test_lines_give_what_the_array_gives(array: Path, tmp_path: Path, labels: LabelSet) -> None:
    lines = tmp_path / "x.jsonl"
    with lines.open("w") as handle:
        for annotator in ReplayAnnotator.panel(array, labels):
            for batch in annotator.annotate([Item("0", ""), Item("1", "")]):
                for seen in batch:
                    scores = np.maximum(seen.log_probs, -1e4)
                    record = {
                        "id": seen.item_id,
                        "model": annotator.name,
                        "log_probs": dict(zip(labels.names, scores.tolist(), strict=True)),
                        "votes": dict(zip(reversed(labels.names), seen.votes[::-1].tolist(), strict=True)),
                    }
                    handle.write(json.dumps(record) + "\n")
    panel = ReplayAnnotator.panel(array, labels)
    assert [annotator.name for annotator in panel] == ["llm1", "llm2"]
    for stored, read in zip(panel, ReplayAnnotator.panel(lines, labels), strict=True):
        assert stored.name == read.name
        for a, b in zip(*(next(x.annotate([Item("1", "")])) for x in (stored, read)), strict=True):
            np.testing.assert_allclose(np.exp(a.log_probs), np.exp(b.log_probs))
            np.testing.assert_array_equal(a.votes, b.votes)


@pytest.mark.parametrize("item_id", ["2", "-1", "abc", "01x"])
def test_what_is_not_stored_is_said(array: Path, labels: LabelSet, item_id: str) -> None:
    with pytest.raises(NotFoundError, match=item_id):
        list(ReplayAnnotator.panel(array, labels)[0].annotate([Item(item_id, "")]))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", "", "holds no observation"),
        ("b.jsonl", "{", "b.jsonl:1"),
        ("c.jsonl", '{"id": "1", "model": "m", "log_probs": {"billing": 0}, "votes": {}}', "c.jsonl:1"),
        ("d.npy", "text", "no array"),
    ],
)
def test_a_wrong_file_is_an_error(tmp_path: Path, labels: LabelSet, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said):
        ReplayAnnotator.panel(tmp_path / name, labels)


def test_a_wrong_shape_and_a_missing_file_are_errors(tmp_path: Path, labels: LabelSet) -> None:
    np.save(tmp_path / "x.npy", STORED[:, :3])
    with pytest.raises(InputError, match="shape"):
        ReplayAnnotator.panel(tmp_path / "x.npy", labels)
    with pytest.raises(NotFoundError):
        ReplayAnnotator.panel(tmp_path / "y.npy", labels)
