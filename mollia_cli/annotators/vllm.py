"""vLLM's OpenAI-compatible server as an annotator: exact label scores by token-id prompts.

Its interface: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html (/version, /v1/models, /tokenize,
/detokenize, /v1/completions with logprobs and return_tokens_as_token_ids), as documented: it was not run against one.
A server states no bytes of tokens and no chat template: tokens are taken for their texts, one by one, and the server
itself renders the conversation, with a mark where the text will be.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from mollia_cli.annotators.llama.decode.encoding import Vocabulary
from mollia_cli.annotators.llama.decode.templates import SENTINEL, conversation
from mollia_cli.annotators.server.link import ServerError
from mollia_cli.annotators.server.rows import TOP, MalformedError, Row, make_row, token_ids
from mollia_cli.annotators.server.walk import END_TEXTS, StatedVocabulary, WalkingServer
from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.printable import count
from mollia_cli.domain.prompting import Prompt

_AT_ONCE = 4096  # tokens whose texts are asked for together
_MOST = 1 << 19  # tokens that a vocabulary may have
_MARK = "THE-TEXT-IS-PUT-HERE"  # plain letters: any vocabulary gives them back
_PARTIAL = "\ufffd"  # stands in a text for bytes that are no whole character
_LIKE_CONTROL = re.compile(r"<[|\uff5c]?[^<>\s]+[|\uff5c]?>|\[/?[A-Z_]+\]")  # rather one too many


class Vllm(WalkingServer):
    """One model of a vLLM server."""

    kind: ClassVar[str] = "vllm"
    in_flight = 32

    @property
    def _longest(self) -> int:
        return self._context_length

    def _ask_itself(self) -> dict[str, Any]:
        version = self.link.get("/version")["version"]
        listed = {each["id"]: each for each in self.link.get("/v1/models")["data"]}
        self._model = self._asked_model or next(iter(listed))
        if self._model not in listed:
            raise RefusedError(
                f"{self.name} ({self.link.address.written}) has no model {self._model!r}",
                f"it has: {', '.join(listed)}",
            )
        self._context_length = int(listed[self._model]["max_model_len"])
        self._tokens = self._read_vocabulary()
        example = self._render([{"role": "user", "content": _MARK}])
        return {
            "model": self._model,
            "engine": f"vLLM {version}",
            "root": str(listed[self._model].get("root", "")).rstrip("/").rpartition("/")[2],
            "vocabulary": digest_of([piece.hex() for piece in self._tokens.pieces]),
            "chat_template": digest_of(example),
            "probe": self._probe(self._tokens),
        }

    def _still(self) -> str:
        names = sorted(str(each["id"]) for each in self.link.get("/v1/models")["data"])
        return f"{', '.join(names)}, vLLM {self.link.get('/version')['version']}"

    def _vocabulary(self) -> Vocabulary:
        return self._tokens

    def _read_vocabulary(self) -> StatedVocabulary:
        """The text of every token, asked for in turns with one that ends a text between each two."""
        apart = self._separator()
        pieces: list[bytes] = []
        controls: dict[int, str] = {}
        for begin in range(0, _MOST, _AT_ONCE):
            tokens = range(begin, begin + _AT_ONCE)
            try:
                whole = self._text_of([one for token in tokens for one in (token, apart[0])])
            except ServerError as error:
                if not begin or not error.status:
                    raise
                break  # behind the last token
            texts = _between(whole, apart[1], len(tokens), apart[0] - begin)
            if not any(texts):
                break
            for token, text in zip(tokens, texts, strict=True):
                control = _LIKE_CONTROL.fullmatch(text) is not None or text in END_TEXTS
                if control:
                    controls[token] = text
                pieces.append(b"" if control or _PARTIAL in text else text.encode())
        first = self._tokenize_as("a", True)
        bos = self._text_of(first[:1]) if first and first[0] in controls else ""
        return StatedVocabulary(pieces, controls, self._tokenize, chat_template=None, bos=bos, eos=apart[1])

    def _separator(self) -> tuple[int, str]:
        """A token that ends a text, with its own text; RefusedError where none is known."""
        for text in sorted(END_TEXTS):
            if len(tokens := self._tokenize_as(text, False)) == 1 and self._text_of(tokens) == text:
                return tokens[0], text
        raise self._unusable("its vocabulary ends texts with no token that mollia knows")

    def _tokenize_as(self, text: str, add_special: bool) -> list[int]:
        question = {"model": self._model, "prompt": text, "add_special_tokens": add_special}
        return token_ids(self.link.post("/tokenize", question)["tokens"])

    def _tokenize(self, text: str, add_special: bool, parse_special: bool) -> list[int]:
        """vLLM reads control tokens in any text, so what looks like one is cut after its first character."""
        if parse_special:
            return self._tokenize_as(text, add_special)
        parts = re.sub(_LIKE_CONTROL, lambda found: f"{found[0][0]}\0{found[0][1:]}", text.replace("\0", " "))
        tokens = [self._tokenize_as(part, add_special and not number) for number, part in enumerate(parts.split("\0"))]
        return [token for part in tokens for token in part]

    def _text_of(self, tokens: list[int]) -> str:
        return str(self.link.post("/detokenize", {"model": self._model, "tokens": tokens})["prompt"])

    def _render(self, turns: list[dict[str, str]]) -> str:
        question = {"model": self._model, "messages": turns, "add_generation_prompt": True}
        return self._text_of(token_ids(self.link.post("/tokenize", question)["tokens"]))

    def _around(self, prompt: Prompt) -> tuple[str, str]:
        turns = [turn | {"content": turn["content"].replace(SENTINEL, _MARK)} for turn in conversation(prompt)]
        before, found, after = self._render(turns).partition(_MARK)
        if not found or _MARK in after:
            raise self._unusable("its chat template does not print the text once")
        return before, after

    def _rows(self, prefixes: Sequence[Sequence[int]], steps: int, temperature: float = 0.0) -> list[list[Row]]:
        question = {
            "model": self._model,
            "prompt": [*map(list, prefixes)],
            "max_tokens": steps,
            "temperature": temperature,
            "logprobs": TOP,
            "return_tokens_as_token_ids": True,
            "seed": 0,
        }
        found = sorted(self.link.post("/v1/completions", question)["choices"], key=lambda one: int(one["index"]))
        if len(found) != len(prefixes):
            raise MalformedError(f"{count(len(found), 'answer')} to {count(len(prefixes), 'prompt')}")
        return [self._steps_of(one["logprobs"]) for one in found]

    def _steps_of(self, stated: dict[str, Any]) -> list[Row]:
        vocabulary = len(self._tokens.pieces)
        return [
            make_row([_number(token) for token in top], [*top.values()], _number(followed), vocabulary)
            for followed, top in zip(stated["tokens"], stated["top_logprobs"], strict=True)
        ]


def _number(token: str) -> int:
    """The id in "token_id:17"."""
    name, _, number = token.partition(":")
    if name != "token_id":
        raise MalformedError("its tokens have no ids")
    return int(number)


def _between(whole: str, apart: str, number: int, own: int) -> list[str]:
    """The texts that stand before each separator; ``own``: the place of the separator itself among them, if it is."""
    texts = whole.split(apart)
    if 0 <= own < number:
        texts[own : own + 2] = [apart]
    if len(texts) != number + 1:
        raise MalformedError(f"{count(len(texts) - 1, 'text')} of {count(number, 'token')}")
    return texts[:number]
