"""Ollama as an annotator: votes alone, because it takes texts and no token ids.

Its interface: https://docs.ollama.com/api (/api/version, /api/tags, /api/show, /api/chat), as documented: it was not
run against one. Ollama renders the conversation itself and reads control tokens in texts, too.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mollia_cli.annotators.llama.answers.votes import SHOWN_TOKENS
from mollia_cli.annotators.llama.decode.templates import SENTINEL, conversation
from mollia_cli.annotators.server.base import ServerAnnotator
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import normalise_answer
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.rng import stream_seed

VOTES_RULE = "chat, first line, smoothed/1"
_CONTEXT = 4096  # tokens of a prompt where no context is set, as in process
_PRIOR = 0.5  # generations that are spread over the labels and no label, so that no probability is 0


class Ollama(ServerAnnotator):
    """One model of an Ollama server. Its log-probabilities are those of its vote shares, smoothed."""

    kind: ClassVar[str] = "ollama"
    scores: ClassVar[str] = "votes alone"
    in_flight = 4

    def _reading(self) -> Mapping[str, Any]:
        return {"votes": VOTES_RULE, "context": self._tokens}

    @property
    def _tokens(self) -> int:
        return self._context.tokens or _CONTEXT

    def _ask_itself(self) -> dict[str, Any]:
        if self._context.decoding.votes == "exact":
            raise InputError(
                f"{self.name}: Ollama gives no log-probabilities of token ids, so its votes are drawn",
                "--votes sampled, or another kind of server",
            )
        listed = self._listed()
        if self._asked_model not in listed:
            wanted = f"no model {self._asked_model!r}" if self._asked_model else "several models"
            raise RefusedError(
                f"{self.name} ({self.link.address.written}) has {wanted}",
                f'say which: model = "..."; it has: {", ".join(listed)}',
            )
        shown = self.link.post("/api/show", {"model": self._asked_model})
        self._thinks = "thinking" in shown.get("capabilities", ())
        details = shown.get("details", {})
        stated = {
            "model": f"{self._asked_model} {listed[self._asked_model]}",
            "engine": f"Ollama {self.link.get('/api/version')['version']}",
            "type": details.get("quantization_level"),
            "parameters": details.get("parameter_size"),
            "probe": [],
        }
        first, again = (self._answer("Is the sky blue? Answer with one word.", 0, 0.0)[0] for _ in range(2))
        if first != again:
            raise RefusedError(
                f"{self.name} ({self.link.address.written}) answers otherwise when it is asked again with the same"
                " seed and temperature 0",
                "docs/servers.md says how each kind of server is started",
            )
        return stated

    def _listed(self) -> dict[str, str]:
        """The digest of each model."""
        return {str(each["name"]): str(each["digest"]) for each in self.link.get("/api/tags")["models"]}

    def _still(self) -> str:
        return self._listed().get(self._asked_model, "gone")

    def _prepare(self) -> None:
        pass

    def _turns(self, item: Item) -> list[dict[str, str]]:
        half = self._context.prompt().halves[self.half_of(item)]
        return [turn | {"content": turn["content"].replace(SENTINEL, item.text)} for turn in conversation(half)]

    def preview(self, item: Item) -> str:
        """The turns that the server is given; what it makes of them is its own matter."""
        return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in self._turns(item))

    def _observe(self, item: Item) -> Observation:
        decoding, names = self._context.decoding, [normalise_answer(name) for name in self._labels.names]
        counts, invalid, tokens, longest = np.zeros(len(names)), list[str](), 0, 0
        turns = self._turns(item)
        for number in range(decoding.samples):
            seed = stream_seed(decoding.seed, "votes", self.digest, item.id, number) % (1 << 31)
            answer, read, written = self._chat(turns, seed, decoding.temperature)
            tokens, longest = tokens + written + (0 if number else read), max(longest, read)
            key = normalise_answer(answer.strip().partition("\n")[0])
            if key in names:
                counts[names.index(key)] += 1
            else:
                invalid.append(answer.strip())
        votes = counts / decoding.samples
        scores = (counts + _PRIOR / (len(names) + 1)) / (decoding.samples + _PRIOR)
        return Observation(
            item_id=item.id,
            log_probs=np.log(scores),
            votes=votes,
            mass=float(scores.sum()),
            invalid=len(invalid) / decoding.samples,
            answers=tuple(invalid[: self._context.show_invalid]),
            tokens=max(1, tokens),
            truncated=longest + SHOWN_TOKENS >= self._tokens,
        )

    def _answer(self, text: str, seed: int, temperature: float) -> tuple[str, int, int]:
        return self._chat([{"role": "user", "content": text}], seed, temperature)

    def _chat(self, turns: list[dict[str, str]], seed: int, temperature: float) -> tuple[str, int, int]:
        """An answer, the tokens of the prompt and those of the answer."""
        options = {
            "temperature": temperature,
            "top_p": self._context.decoding.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "repeat_penalty": 1.0,
            "seed": seed,
            "num_predict": SHOWN_TOKENS,
            "num_ctx": self._tokens,
        }
        question = {"model": self._asked_model, "messages": turns, "stream": False, "options": options}
        if self._thinks:
            question["think"] = False
        said = self.link.post("/api/chat", question)
        return str(said["message"]["content"]), int(said.get("prompt_eval_count", 0)), int(said["eval_count"])
