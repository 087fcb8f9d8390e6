"""DA: vocabulary-level data augmentation (Ma 2019, nlpaug)."""

from dataclasses import dataclass
from typing import ClassVar

from mollia_cli.aggregators.mol import MoL
from mollia_cli.aggregators.variants import WORDS


@dataclass(eq=False)
class DA(MoL):
    """MoL on the seeds and observations of word-level variants of them (``variants.vary``).

    A variant is one more seed item, id ``variant_id(id, WORDS, number)``, with the label of its original.
    """

    name: ClassVar[str] = "da"
    source: ClassVar[str] = "Ma 2019 (nlpaug)"
    variants: ClassVar[str] = WORDS
