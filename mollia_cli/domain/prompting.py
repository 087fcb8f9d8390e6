"""A prompt as an annotator needs it: what stands before and after the text."""

from dataclasses import dataclass

from mollia_cli.domain.digest import digest_of


@dataclass(frozen=True, slots=True)
class Prompt:
    """One user message, cut at the text: ``before + text + after``.

    ``shots`` are worked examples (text, label name) that come as earlier turns of the same shape.
    """

    before: str
    after: str
    shots: tuple[tuple[str, str], ...] = ()

    def message(self, text: str) -> str:
        """The whole user message for one text."""
        return f"{self.before}{text}{self.after}"

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
