"""Digests and random streams: the same for equal things, others for others."""

import itertools

import numpy as np
import pytest

from mollia_cli.domain.digest import canonical_json, digest_blocks, digest_of, digest_text
from mollia_cli.domain.rng import stream, stream_seed


def test_the_order_of_keys_is_no_part_of_an_identity() -> None:
    pairs = [("model", "m"), ("prompt", {"before": "b", "after": "a"}), ("decoding", [0.7, 0.9])]
    turned = {"after": "a", "before": "b"}
    digests = {digest_of(dict(order)) for order in itertools.permutations(pairs)}
    digests.add(digest_of({**dict(pairs), "prompt": turned}))
    assert len(digests) == 1


def test_an_identity_is_the_sha256_of_written_json() -> None:
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'
    assert digest_of({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest_text("\udcff") != digest_text("?")
    assert digest_blocks([b"a", b"b"]) == digest_blocks([b"ab"]) == digest_text("ab")
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_of(float("nan"))


def test_everything_in_a_value_is_part_of_its_identity() -> None:
    values = [{"a": 1}, {"a": 2}, {"a": "1"}, {"b": 1}, {"a": [1]}, {"a": [1, 2]}, {"a": [2, 1]}, {"a": None}, {}]
    assert len({digest_of(value) for value in values}) == len(values)


def test_names_of_streams_do_not_run_into_each_other() -> None:
    names = [("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), ("c", "ab"), ("",), ("", "")]
    assert len({stream_seed(1, *name) for name in names}) == len(names)
    assert stream_seed(1, "1x") != stream_seed(11, "x")
    assert stream_seed(1, "round", 11) != stream_seed(1, "round", 1, 1) != stream_seed(1, "round", "1", "1", "")


def test_a_stream_is_its_seed_and_its_names() -> None:
    first = stream(7, "select", 3).random(5)
    np.testing.assert_array_equal(stream(7, "select", 3).random(5), first)
    for other in (stream(8, "select", 3), stream(7, "select", 4), stream(7, "train", 3)):
        assert not np.isclose(other.random(5), first).any()
    assert 0 <= stream_seed(7, "x") < 2**63
