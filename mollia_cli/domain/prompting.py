"""A prompt as an annotator needs it: what stands before and after the text."""

from dataclasses import dataclass, replace

from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.items import Item
from mollia_cli.domain.rng import stream_seed

Shots = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One user message, cut at the text: ``before + text + after``.

    ``shots`` are worked examples (text, label name) that come as earlier turns. The first turn holds the
    whole message; the others only its paragraph with the text, and what follows. ``others`` are worked
    examples that half of the items are read with instead of ``shots``, so that none is read with its own label.
    """

    before: str
    after: str
    shots: Shots = ()
    others: Shots = ()

    def with_guidelines(self, guidelines: str) -> "Prompt":
        """The same below guidelines, which are a part of what all texts share."""
        return replace(self, before=f"Guidelines:\n{guidelines}\n\n{self.before}")

    @property
    def halves(self) -> tuple["Prompt", ...]:
        """The prompts that items are read with: the one, or one with each set of worked examples."""
        first = replace(self, others=())
        return (first, replace(first, shots=self.others)) if self.others else (first,)

    def half_of(self, item: Item, random_seed: int) -> int:
        """Which of ``halves`` an item is read with: a worked example with the other set, the rest by its id.

        It depends on nothing else, so it stays what it is whatever is imported later.
        """
        if not self.others:
            return 0
        for half, examples in enumerate((self.others, self.shots)):
            if any(text == item.text for text, _ in examples):
                return half
        return stream_seed(random_seed, "half", item.id) % 2

    def message(self, text: str) -> str:
        """The whole user message for one text."""
        return f"{self.before}{text}{self.after}"

    def turns(self, text: str) -> list[str]:
        """The user's messages: one for each worked example, the last one for the text."""
        texts = [*(shot for shot, _ in self.shots), text]
        again = self.before.rpartition("\n\n")[2]
        return [self.message(texts[0]), *(f"{again}{later}{self.after}" for later in texts[1:])]

    @property
    def digest(self) -> str:
        """Identity of the prompt."""
        return digest_of({"before": self.before, "after": self.after, "shots": self.shots, "others": self.others})


@dataclass(frozen=True, slots=True)
class Decoding:
    """How votes are drawn: ``samples`` generations at a temperature within the top-p nucleus.

    ``votes`` is "sampled" (T = ``samples`` draws) or "exact" (the T -> infinity value).
    """

    votes: str = "sampled"
    samples: int = 10
    temperature: float = 0.7
    top_p: float = 0.9
    seed: int = 0
