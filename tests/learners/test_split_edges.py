"""A validation split that would take nearly everything."""

import numpy as np
import pytest

from mollia_cli.domain.rng import stream
from mollia_cli.learners.splits import validation_split


@pytest.mark.parametrize("counts", [(50, 50), (98, 1, 1), (97, 2, 1)])
@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.999])
def test_every_label_keeps_a_training_row_whatever_the_fraction(counts: tuple[int, ...], fraction: float) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    for seed in range(5):
        training, validation = validation_split(targets, stream(seed, "split"), fraction)
        assert set(targets[training]) == set(targets)
        assert sorted([*training, *validation]) == list(range(100))
