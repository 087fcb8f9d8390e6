"""A prompt as an annotator needs it: what stands before and after the text."""

from dataclasses import dataclass

from mollia_cli.domain.digest import digest_of


@dataclass(frozen=True, slots=True)
class Prompt:
    """One user message, cut at the text: ``before + text + after``.

    ``shots`` are worked examples (text, label name) that come as earlier turns. The first turn holds the
    whole message; the others only its paragraph with the text, and what follows.
    """

    before: str
    after: str
    shots: tuple[tuple[str, str], ...] = ()

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
        return digest_of({"before": self.before, "after": self.after, "shots": self.shots})


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
