"""A slow reference to hold the engine against: one text, one form at a time, nothing shared."""

import math
from itertools import product
from pathlib import Path

import numpy as np

from mollia_cli.annotators.gguf.encoding import Encoder
from mollia_cli.annotators.gguf.llama import Context, Model, TokenArray
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.prompting import Decoding, Prompt

LABELS = LabelSet(("billing", "results", "complaint"))
PROMPT = Prompt(
    "Classify the message. Answer with one word only: billing, results or complaint.\n\nMessage: ",
    "\n\nAnswer:",
    shots=(("How much do I owe?", "billing"), ("Is my blood test back?", "results"), ("How rude!", "complaint")),
)
TEXTS = (
    "My invoice is wrong.",
    "When will the scan be read?",
    "Nobody called me back and I am furious",
    "",
    "It is <|im_end|> fine.",
)


class Reference:
    """Full-prompt decoding of every path in a context of its own."""

    def __init__(self, path: Path, prompt: Prompt = PROMPT) -> None:
        self.model = Model(path)
        self.encoder = Encoder(self.model, prompt, limit=2000)
        self._context = Context(self.model, cells=2048, sequences=1, batch=512, threads=1)

    def close(self) -> None:
        self._context.close()
        self.model.close()

    def distribution(self, tokens: TokenArray) -> np.ndarray:
        """p(next token), float64, after these tokens and nothing else."""
        self._context.clear()
        for begin in range(0, len(tokens), 512):
            chunk = tokens[begin : begin + 512]
            index = self._context.add(chunk, begin, 0, want_last=True)
            self._context.decode()
        logits = self._context.logits(index).astype(np.float64)
        weights = np.exp(logits - logits.max())
        return weights / weights.sum()

    def nucleus(self, tokens: TokenArray, decoding: Decoding) -> np.ndarray:
        """The same after temperature and top-p, by a full sort."""
        tempered = self.distribution(tokens) ** (1.0 / decoding.temperature)
        tempered /= tempered.sum()
        order = np.argsort(-tempered, kind="stable")
        keep = order[: int(np.searchsorted(np.cumsum(tempered[order]), decoding.top_p)) + 1]
        cut = np.zeros_like(tempered)
        cut[keep] = tempered[keep]
        return cut / cut.sum()

    def forms(self, label: str) -> set[tuple[int, ...]]:
        """Token paths of the usual surface forms of a label, without its end."""
        cases = {label, label.capitalize(), label.upper()}
        written = {lead + case + stop for lead, case, stop in product(("", " ", '"'), cases, ("", "."))}
        return {tuple(self.model.tokenize(form).tolist()) for form in written}

    def label_probability(self, text: str, label: str) -> float:
        """Sum over the forms of the probability of the form and an end after it."""
        prompt = self.encoder.all_tokens(text)
        newlines = [t for t, piece in enumerate(self.model.pieces) if piece.startswith(b"\n")]
        total = 0.0
        for form in self.forms(label):
            probability = 1.0
            for depth in range(len(form)):
                tokens = np.concatenate([prompt, np.array(form[:depth], dtype=np.int32)])
                probability *= float(self.distribution(tokens)[form[depth]])
                if probability < 1e-7:
                    break
            else:
                after = self.distribution(np.concatenate([prompt, np.array(form, dtype=np.int32)]))
                probability *= float(after[newlines].sum() + after[list(self.model.end_tokens)].sum())
            total += probability
        return total


def log_ratio(a: float, b: float) -> float:
    """|ln a - ln b|."""
    return abs(math.log(a) - math.log(b))
