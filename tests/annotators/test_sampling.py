"""Temperature and nucleus against a full sort."""

import numpy as np
import pytest

from mollia_cli.annotators.llama.answers.sampling import Softmax, nucleus
from mollia_cli.domain.prompting import Decoding
from mollia_cli.domain.rng import stream

WIDTH = 5000


_ROUNDING = 1e-5  # of a cumulative probability: the edge may be on either side of top-p within it


def expected(row: np.ndarray, temperature: float, top_p: float) -> tuple[range, dict[int, float]]:
    """How many tokens may be kept, and the probabilities within the largest such set."""
    tempered = np.exp((row.astype(np.float64) - row.max()) / temperature)
    tempered /= tempered.sum()
    order = np.argsort(-tempered, kind="stable")
    total = np.cumsum(tempered[order])
    least, most = (min(int(np.searchsorted(total, top_p + e)) + 1, len(row)) for e in (-_ROUNDING, _ROUNDING))
    kept = order[:most]
    return range(least, most + 1), dict(
        zip(kept.tolist(), (tempered[kept] / tempered[kept].sum()).tolist(), strict=True)
    )


@pytest.mark.parametrize("scale", [0.01, 1.0, 5.0])
@pytest.mark.parametrize(("temperature", "top_p"), [(0.7, 0.9), (1.0, 1.0), (2.0, 0.5), (0.1, 0.999)])
def test_nucleus_is_the_smallest_set(scale: float, temperature: float, top_p: float) -> None:
    row = (scale * stream(1, scale).standard_normal(WIDTH)).astype(np.float32)
    region = nucleus(row, Softmax(WIDTH), Decoding(temperature=temperature, top_p=top_p))
    sizes, want = expected(row, temperature, top_p)
    assert len(region.tokens) in sizes
    got = dict(zip(region.tokens.tolist(), region.probabilities.tolist(), strict=True))
    shared = got.keys() & want.keys()
    assert sum(got[t] for t in shared) > 0.999
    np.testing.assert_allclose([got[t] for t in shared], [want[t] for t in shared], rtol=1e-3)


@pytest.mark.parametrize(("top_p", "size"), [(0.4, 1), (0.6, 2), (0.79, 2), (0.81, 3), (0.94, 3), (0.96, 4), (1.0, 5)])
def test_the_nucleus_ends_with_the_token_that_reaches_top_p(top_p: float, size: int) -> None:
    row = np.log(np.array([0.15, 0.5, 0.04, 0.3, 0.01], dtype=np.float32))
    region = nucleus(row, Softmax(5), Decoding(temperature=1.0, top_p=top_p))
    assert region.tokens.tolist() == [1, 3, 0, 2, 4][:size]
    assert region.probabilities.sum() == pytest.approx(1.0)


def test_temperature_zero_is_the_most_probable() -> None:
    row = stream(2).standard_normal(WIDTH).astype(np.float32)
    region = nucleus(row, Softmax(WIDTH), Decoding(temperature=0.0))
    assert region.tokens.tolist() == [int(row.argmax())]


def test_draws_follow_the_probabilities() -> None:
    row = np.full(WIDTH, -50.0, dtype=np.float32)
    row[[3, 5]] = np.log([0.25, 0.75])
    region = nucleus(row, Softmax(WIDTH), Decoding(temperature=1.0, top_p=1.0))
    drawn = region.draw(stream(3).random(20_000))
    assert abs((drawn == 5).mean() - 0.75) < 4 * np.sqrt(0.25 * 0.75 / 20_000)
    assert set(drawn.tolist()) == {3, 5}


def test_log_partition() -> None:
    row = stream(4).standard_normal(WIDTH).astype(np.float32)
    peak, log_sum = Softmax(WIDTH).log_partition(row)
    assert peak + log_sum == pytest.approx(np.log(np.exp(row.astype(np.float64)).sum()), abs=1e-5)
