"""The LLM as selector: the items that an LLM of the panel calls most informative."""

from typing import ClassVar

import numpy as np

from mollia_cli.strategies.base import ANSWERS, Pick, Signals, Strategy, top


class Llm(Strategy):
    """score = p(yes) / (p(yes) + p(no)), the LLM's answer to whether a classifier would learn much from the text.

    ActiveLLM shows the LLM a list and asks for its most informative members; small models lose their way in
    lists, so each text is asked about alone, and the scores are exact and comparable.
    """

    name = "llm"
    source = "Bayer, Lutz & Reuter, ActiveLLM: LLM-based Active Learning for Textual Few-Shot Scenarios, 2024"
    needs: ClassVar[frozenset[str]] = frozenset({ANSWERS})
    question = (
        "A classifier is trained to tell these categories apart: {labels}.\n"
        "It learns most from a {noun} that is hard to categorise, or that is unlike the usual ones.\n\n"
        "{Noun}: {text}\n\n"
        "Would the classifier learn much from this {noun}? Answer yes or no:"
    )

    def select(self, signals: Signals, n: int, rng: np.random.Generator) -> list[Pick]:
        """The n items with the highest score."""
        return top(signals.ids, signals.require(ANSWERS).astype(np.float64), n)
