import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch")

from mollia_cli.learners.pretrained import load_tokenizer
from mollia_cli.learners.tokens import TokenStore, plan_batches


class Counting:
    """A tokenizer that counts the texts it was given."""

    def __init__(self, tokenizer):
        self.tokenizer, self.seen = tokenizer, []
        self.backend_tokenizer, self.pad_token_id = tokenizer.backend_tokenizer, tokenizer.pad_token_id

    def __call__(self, texts, **options):
        self.seen += texts
        return self.tokenizer(texts, **options)


@pytest.fixture
def tokenizer(encoder):
    return Counting(load_tokenizer(encoder))


def ids_of(encoded, row):
    return encoded.flat[encoded.starts[row] : encoded.starts[row] + encoded.lengths[row]].tolist()


def test_rows_follow_the_texts(tokenizer):
    encoded = TokenStore(tokenizer, 20).encode(["w1 w2", "w3", "w1 w2"])
    assert [ids_of(encoded, row) for row in range(3)] == [[0, 5, 6, 2], [0, 7, 2], [0, 5, 6, 2]]


def test_padding_within_a_batch(tokenizer):
    encoded = TokenStore(tokenizer, 20).encode(["w1 w2", "w3", ""])
    ids, mask = encoded.padded(np.array([2, 0, 1]))
    assert ids.tolist() == [[0, 2, 1, 1], [0, 5, 6, 2], [0, 7, 2, 1]]
    assert mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]]


def test_a_text_is_tokenised_once_where_tokens_are_kept(tokenizer, tmp_path):
    store = TokenStore(tokenizer, 20, tmp_path / "tokens.safetensors")
    first = store.encode(["w1", "w2", "w1"])
    store.encode(["w2", "w3"])
    assert tokenizer.seen == ["w1", "w2", "w3"]
    assert ids_of(first, 2) == [0, 5, 2]


def test_a_stream_of_texts_leaves_nothing_behind(tokenizer):
    store = TokenStore(tokenizer, 20)
    first = store.encode(["w1", "w2", "w1"])
    other = store.encode(["w3"])
    assert (len(first.flat), len(other.flat), len(store._rows)) == (6, 3, 0)
    assert ids_of(first, 2) == [0, 5, 2]
    assert tokenizer.seen == ["w1", "w2", "w3"]


def test_the_side_file_is_written_when_an_eighth_of_it_is_new(tokenizer, tmp_path):
    side, written = tmp_path / "tokens.safetensors", []
    store = TokenStore(tokenizer, 20, side)
    for n in range(100):
        store.encode([f"w{n % 40} " * (n // 40 + 1)])
        written.append(side.stat().st_mtime_ns)
    assert len(set(written)) < 40
    assert len(TokenStore(tokenizer, 20, side)._rows) > 100 * 7 / 8


def test_the_side_file_spares_the_next_run(tokenizer, tmp_path):
    side = tmp_path / "cache" / "tokens.safetensors"
    TokenStore(tokenizer, 20, side).encode(["w1 w2", "w3"])
    tokenizer.seen.clear()
    encoded = TokenStore(tokenizer, 20, side).encode(["w3", "w1 w2", "w4"])
    assert tokenizer.seen == ["w4"]
    assert [ids_of(encoded, row) for row in range(3)] == [[0, 7, 2], [0, 5, 6, 2], [0, 8, 2]]


def test_what_a_killed_process_has_not_finished_is_removed(tokenizer, tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path = tmp_path / "tokens.safetensors"
    for pid in (dead.pid, os.getpid()):
        path.with_name(f".{path.name}.{pid}.part").write_text("half")
    TokenStore(tokenizer, 20, path).encode(["w1"])
    assert [file.name for file in tmp_path.iterdir()] == ["tokens.safetensors"]


@pytest.mark.parametrize("damage", ["other length", "cut", "empty"])
def test_a_side_file_that_does_not_fit_is_not_used(tokenizer, tmp_path, damage):
    side = tmp_path / "tokens.safetensors"
    TokenStore(tokenizer, 3, side).encode(["w1 w2 w3"])
    if damage != "other length":
        side.write_bytes(side.read_bytes()[:-5] if damage == "cut" else b"")
    assert ids_of(TokenStore(tokenizer, 20, side).encode(["w1 w2 w3"]), 0) == [0, 5, 6, 7, 2]


def test_long_texts_and_strange_characters(tokenizer):
    encoded = TokenStore(tokenizer, 20).encode(["w1 " * 33_334, "\ud800\x00", ""])
    assert encoded.lengths.tolist()[0] == 20
    assert len(encoded) == 3


@pytest.mark.parametrize(("n", "waste"), [(50, 1.15), (1000, 1.04)])
def test_batches_hold_every_row_once_within_the_budget_and_little_padding(n, waste):
    lengths = np.random.default_rng(0).integers(20, 100, n)
    batches = plan_batches(lengths, 2048)
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert all(len(batch) * lengths[batch].max() <= 2048 for batch in batches)
    assert sum(len(batch) * lengths[batch].max() for batch in batches) < waste * lengths.sum()


def test_batches_are_the_cheapest_cut():
    # one pass more costs 50 tokens: worth it for a long text among short ones, not for a hardly longer one
    assert [batch.tolist() for batch in plan_batches(np.array([10, 60, 10, 10]), 2048)] == [[1], [0, 2, 3]]
    assert [batch.tolist() for batch in plan_batches(np.array([10, 20, 10, 10]), 2048)] == [[1, 0, 2, 3]]


def test_no_rows_no_batches():
    assert plan_batches(np.zeros(0, dtype=np.int64), 2048) == []


def test_a_text_longer_than_the_budget_goes_alone():
    assert [batch.tolist() for batch in plan_batches(np.array([3, 900, 4]), 10)] == [[1], [2, 0]]


def test_texts_that_are_cut_are_counted(tokenizer):
    store = TokenStore(tokenizer, 4)
    assert store.longer(["w1", "w1 w2", "w1 w2 w3", "w3 w2 w1 w2 w3", "w1 w2"]) == 2  # two tokens stand around each
    assert store.longer([]) == 0
    assert store.encode(["w1 w2 w3"]).lengths.tolist() == [4]
