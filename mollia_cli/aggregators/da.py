"""DA: vocabulary-level data augmentation (Ma 2019, nlpaug)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mollia_cli.aggregators.mol import MoL

# nlpaug's default: 30% of the words, at most 10.
_SHARE, _MOST = 0.3, 10


@dataclass(eq=False)
class DA(MoL):
    """MoL on the seeds and observations of word-level variants of them (``vary``).

    A variant is one more seed item, id ``variant_id(id, number)``, with the label of its original.
    """

    name: ClassVar[str] = "da"
    source: ClassVar[str] = "Ma 2019 (nlpaug)"


def vary(text: str, vocabulary: Sequence[str], rng: np.random.Generator) -> str:
    """The text with 30% of its words (one at least, ten at most) replaced, swapped or deleted at random."""
    words = text.split()
    if not words or not vocabulary:
        return text
    for _ in range(min(_MOST, max(1, round(_SHARE * len(words))))):
        at, change = int(rng.integers(len(words))), int(rng.integers(3))
        if change == 0:
            words[at] = vocabulary[int(rng.integers(len(vocabulary)))]
        elif change == 1 and at + 1 < len(words):
            words[at], words[at + 1] = words[at + 1], words[at]
        elif len(words) > 1:
            del words[at]
    return " ".join(words)
