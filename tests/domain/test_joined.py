"""One observation made of those of a text's parts."""

import numpy as np
import pytest

from mollia_cli.domain.observations import Observation, joined


def part(item_id: str, z: list[float], votes: list[float], tokens: int) -> Observation:
    return Observation(item_id, np.log(z), np.array(votes), sum(z), 1 - sum(votes), tokens=tokens)


def test_parts_count_by_their_tokens() -> None:
    whole = joined([part("a", [0.8, 0.1], [0.9, 0.1], 30), part("b", [0.2, 0.4], [0.1, 0.7], 10)])
    np.testing.assert_allclose(np.exp(whole.log_probs), [0.8**0.75 * 0.2**0.25, 0.1**0.75 * 0.4**0.25])
    np.testing.assert_allclose(whole.votes, [0.7, 0.25])
    assert whole.mass == pytest.approx(np.exp(whole.log_probs).sum())
    assert whole.votes.sum() + whole.invalid == pytest.approx(1.0)
    assert (whole.item_id, whole.tokens, whole.truncated) == ("a", 40, False)


def test_one_part_is_the_whole() -> None:
    alone = part("a", [0.8, 0.1], [0.9, 0.1], 30)
    assert joined([alone]) is alone


def test_a_part_that_failed_fails_the_whole() -> None:
    failed = Observation("a/1", np.full(2, -700.0), np.zeros(2), 0.0, 1.0, answers=("no memory",))
    whole = joined([part("a", [0.8, 0.1], [0.9, 0.1], 30), failed])
    assert (whole.item_id, whole.invalid, whole.tokens, whole.answers) == ("a", 1.0, 0, ("no memory",))
