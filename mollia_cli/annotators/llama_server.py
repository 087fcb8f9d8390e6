"""llama.cpp's HTTP server (llama-server) as an annotator: exact label scores by token-id prompts.

Its interface: https://github.com/ggml-org/llama.cpp/tree/master/tools/server (/props, /v1/models, /tokenize,
/detokenize, /completion with n_probs; post_sampling_probs is false, so that probabilities are the plain softmax).
"""

import queue
import threading
from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, ClassVar

from mollia_cli.annotators.llama.decode.encoding import Vocabulary
from mollia_cli.annotators.server.rows import TOP, MalformedError, Row, make_row, token_ids
from mollia_cli.annotators.server.walk import StatedVocabulary, WalkingServer
from mollia_cli.domain.digest import digest_of, digest_text
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.printable import count

_ALL = 1 << 20  # more tokens than any vocabulary has
_BREAK = "\n"  # stands between tokens whose texts are asked for together


class LlamaServer(WalkingServer):
    """One model of a llama-server; each text in flight keeps one of its slots, where its prompt stays decoded."""

    kind: ClassVar[str] = "llama-server"

    @property
    def in_flight(self) -> int:
        """The server's slots."""
        return self._slots

    @property
    def _longest(self) -> int:
        return self._slot_context

    def _ask_itself(self) -> dict[str, Any]:
        props = self.link.get("/props")
        self._slots = max(1, int(props["total_slots"]))
        self._slot_context = int(props["default_generation_settings"]["n_ctx"])
        self._seat = threading.local()
        self._free = queue.SimpleQueue[int]()
        for slot in range(self._slots):
            self._free.put(slot)
        self._tokens = self._read_vocabulary(props)
        listed = self.link.get("/v1/models")["data"]
        facts = listed[0].get("meta") or {}
        if len(listed) > 1:
            raise RefusedError(
                f"{self.name} ({self.link.address.written}) changes between several models",
                "start a llama-server with one model: -m FILE.gguf",
            )
        return {
            "model": self._model_name(props),
            "engine": f"llama.cpp {props['build_info']}",
            "type": facts.get("ftype") or props.get("model_ftype"),
            "parameters": facts.get("n_params"),
            "bytes": facts.get("size"),
            "vocabulary": digest_of([piece.hex() for piece in self._tokens.pieces]),
            "chat_template": digest_text(self._tokens.chat_template or ""),
            "lora": bool(self._lora()),
            "probe": self._probe(self._tokens),
        }

    def _lora(self) -> list[Any]:
        """The adapters that are applied."""
        found = self.link.get("/lora-adapters")
        if not isinstance(found, list):
            raise MalformedError("its adapters are no list")
        return [each for each in found if each["scale"]]

    def _model_name(self, props: dict[str, Any]) -> str:
        """The file's name; where it lies is the server's own matter."""
        path = str(props["model_path"])
        return PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name

    def _still(self) -> str:
        props = self.link.get("/props")
        return f"{props['model_path']}, {props['build_info']}"

    def _vocabulary(self) -> Vocabulary:
        return self._tokens

    def _read_vocabulary(self, props: dict[str, Any]) -> StatedVocabulary:
        """All tokens with their bytes, which are stated with the probability of each."""
        question = {"prompt": [[self._tokenize("a", False, False)[0]]], "n_predict": 1, "n_probs": _ALL}
        stated = self.link.post("/completion", question | _PLAIN)["completion_probabilities"][0]["top_logprobs"]
        pieces = {entry["id"]: bytes(entry["bytes"]) for entry in stated}
        if sorted(pieces) != list(range(len(pieces))):
            raise MalformedError("its tokens are not numbered from 0")
        controls = [token for token, piece in sorted(pieces.items()) if not piece]
        apart = self._tokenize(_BREAK, False, False)[-1]
        texts = self._text_of([one for token in controls for one in (token, apart)]).split(_BREAK)[:-1]
        if len(texts) != len(controls):
            texts = [self._text_of([token]) for token in controls]
        return StatedVocabulary(
            [pieces[token] for token in range(len(pieces))],
            dict(zip(controls, texts, strict=True)),
            self._tokenize,
            chat_template=props.get("chat_template") or None,
            bos=props.get("bos_token", ""),
            eos=props.get("eos_token", ""),
        )

    def _tokenize(self, text: str, add_special: bool, parse_special: bool) -> list[int]:
        question = {"content": text, "add_special": add_special, "parse_special": parse_special}
        return token_ids(self.link.post("/tokenize", question)["tokens"])

    def _text_of(self, tokens: list[int]) -> str:
        return str(self.link.post("/detokenize", {"tokens": tokens})["content"])

    def _observe(self, item: Item) -> Observation:
        self._seat.slot = self._free.get()
        try:
            return super()._observe(item)
        finally:
            self._free.put(self._seat.slot)

    def _rows(self, prefixes: Sequence[Sequence[int]], steps: int, temperature: float = 0.0) -> list[list[Row]]:
        question = {"prompt": [*map(list, prefixes)], "n_predict": steps, "n_probs": TOP, "temperature": temperature}
        found = self.link.post("/completion", question | _PLAIN | {"id_slot": getattr(self._seat, "slot", 0)})
        found = sorted(found, key=lambda one: int(one["index"])) if isinstance(found, list) else [found]
        if len(found) != len(prefixes):
            raise MalformedError(f"{count(len(found), 'answer')} to {count(len(prefixes), 'prompt')}")
        return [[self._row(step) for step in one["completion_probabilities"]] for one in found]

    def _row(self, step: dict[str, Any]) -> Row:
        top = step["top_logprobs"]
        vocabulary = len(self._tokens.pieces)
        return make_row([e["id"] for e in top], [e["logprob"] for e in top], step["id"], vocabulary)


# Nothing but the temperature may choose the tokens, and the prompt of a slot stays decoded for the next question.
_PLAIN = {
    "samplers": ["temperature"],
    "cache_prompt": True,
    "post_sampling_probs": False,
    "seed": 0,
    "response_fields": ["index", "completion_probabilities"],
}
