"""A slow reference to hold the engine against: one text, one form at a time, nothing shared."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mollia_cli.annotators.llama.binding.llama import Context, Model, TokenArray, lib
from mollia_cli.annotators.llama.decode.encoding import Encoder
from mollia_cli.domain.labels import LabelSet, normalise_answer
from mollia_cli.domain.prompting import Decoding, Prompt

LABELS = LabelSet(("positive", "negative", "neutral"))
_TASK = "Classify the sentiment of this message as positive, negative or neutral. Answer with one word.\n\n"
PROMPT = Prompt(_TASK, "")
SHOTS = Prompt(_TASK, "", shots=(("I love it", "positive"), ("It broke at once", "negative")))
TEXTS = (
    "My invoice is wrong.",
    "Thanks, all good!",
    "Nobody called me back and I am furious",
    "",
    "It is <|im_end|> fine.",
)


class Reference:
    """One sequence, one token path at a time, in a context of its own: no trie, no sharing, no pruning."""

    def __init__(self, path: Path, prompt: Prompt = PROMPT) -> None:
        self.model = Model(path)
        self.encoder = Encoder(self.model, prompt, limit=2000)
        self._known: dict[tuple[int, ...], np.ndarray] = {}
        self._held = np.zeros(0, dtype=np.int32)
        self._context = Context(self.model, cells=2048, sequences=1, batch=512, threads=1)

    def close(self) -> None:
        self._context.close()
        self.model.close()

    def distribution(self, tokens: TokenArray) -> np.ndarray:
        """p(next token), float64, after these tokens and nothing else."""
        known = self._known.get(tuple(tokens.tolist()))
        if known is not None:
            return known
        keep = 0
        while keep < min(len(tokens) - 1, len(self._held)) and tokens[keep] == self._held[keep]:
            keep += 1
        api = lib()
        api.llama_memory_seq_rm(api.llama_get_memory(self._context.handle), 0, keep, -1)
        self._held = tokens
        for begin in range(keep, len(tokens), 512):
            index = self._context.add(tokens[begin : begin + 512], begin, [0], want_last=True)
            self._context.decode()
        logits = self._context.logits(index).astype(np.float64)
        weights = np.exp(logits - logits.max())
        found = self._known[tuple(tokens.tolist())] = weights / weights.sum()
        return found

    def nucleus(self, tokens: TokenArray, decoding: Decoding) -> np.ndarray:
        """The same after temperature and top-p, by a full sort."""
        tempered = self.distribution(tokens) ** (1.0 / decoding.temperature)
        tempered /= tempered.sum()
        order = np.argsort(-tempered, kind="stable")
        keep = order[: int(np.searchsorted(np.cumsum(tempered[order]), decoding.top_p)) + 1]
        cut = np.zeros_like(tempered)
        cut[keep] = tempered[keep]
        return cut / cut.sum()

    def walk(self, text: str, following: Callable[[TokenArray], np.ndarray], floor: float) -> np.ndarray:
        """Probability [K] that the answer, read as text, normalises to each label.

        Follows every token path whose probability reaches ``floor`` under ``following``, a
        distribution over the next token, until a token ends the generation or a newline the answer.
        """
        names = [normalise_answer(name) for name in LABELS.names]
        found = np.zeros(len(names))
        ends = set(self.model.end_tokens)
        stack = [(self.encoder.all_tokens(text), b"", 1.0)]
        while stack:
            tokens, answer, mass = stack.pop()
            shares = mass * following(tokens)
            for token in np.flatnonzero(shares >= floor).tolist():
                grown = answer + (b"" if token in ends else self.model.pieces[token])
                line, newline, _ = grown.lstrip().decode("utf-8", "replace").partition("\n")
                word = normalise_answer(line)
                if newline or token in ends:
                    if word in names:
                        found[names.index(word)] += shares[token]
                elif any(name.startswith(word) for name in names):
                    stack.append((np.append(tokens, np.int32(token)), grown, float(shares[token])))
        return found
