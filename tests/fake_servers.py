"""Servers of a toy LLM in this process, with the interfaces of llama-server, vLLM and Ollama.

llama-server's is like what a real one answers (tests/annotators/test_llama_server.py asks one). Those of vLLM and
Ollama are written down from their documentation (docs.vllm.ai, docs.ollama.com, November 2025): neither was run.
"""

import json
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from mollia_cli.domain.network import allowed
from mollia_cli.domain.rng import stream

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONTROLS = {0: "<|im_start|>", 1: "<|im_end|>", 2: "<|endoftext|>"}
_WORDS = ["good", "bad", "go", "od", "b", "ad", "Good", " good", "Bad", " the", '"', "\n", " ", "."]
_BYTES = [chr(n) for n in range(33, 127) if chr(n) not in '."b']
_PAIRS = [f"z{chr(n)}" for n in range(65, 91)] + [f"Z{chr(n)}" for n in range(65, 91)]  # more than 128 tokens in all
PIECES = [b"", b"", b"", *(piece.encode() for piece in (*_WORDS, *_BYTES, *_PAIRS))]
_NUMBERS = {piece.decode(): token for token, piece in enumerate(PIECES) if piece} | {c: t for t, c in CONTROLS.items()}
_LONGEST = "|".join(
    re.escape(piece) for piece in sorted(_NUMBERS, key=len, reverse=True) if piece not in CONTROLS.values()
)
_PLAIN = re.compile(f"{_LONGEST}|.", re.DOTALL)
_WITH_CONTROLS = re.compile("|".join([*map(re.escape, CONTROLS.values()), _PLAIN.pattern]), re.DOTALL)


def tokenize(text: str, parse_special: bool) -> list[int]:
    """Longest pieces first; what is not in the vocabulary is a full stop."""
    found = _WITH_CONTROLS.findall(text) if parse_special else _PLAIN.findall(text)
    return [_NUMBERS.get(piece, PIECES.index(b".")) for piece in found]


def text_of(tokens: list[int]) -> str:
    return "".join(CONTROLS.get(token, PIECES[token].decode() if token < len(PIECES) else "") for token in tokens)


class Toy:
    """The model: logits that depend on the last three tokens; labels are likely, and most answers end behind one."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def log_probs(self, prefix: list[int], temperature: float = 1.0) -> np.ndarray:
        logits = stream(self.seed, *prefix[-3:], len(prefix) % 5).normal(0.0, 1.0, len(PIECES))
        whole = PIECES[prefix[-1]].lower().endswith((b"od", b"ad"))
        logits[[1] if whole else slice(3, 9)] += 7.0
        logits[[0, 2]] = -20.0
        logits[3 + len(_WORDS) :] -= 3.0
        logits = logits / temperature
        return np.asarray(logits - np.log(np.exp(logits).sum()))


class FakeServer:
    """One address for all three interfaces. ``asked``: (path, question) as they came.

    ``troubles``: what happens to the next questions instead of an answer: a status, "hang up", or bytes to answer with;
    None answers. ``at``: only to questions of this path. The other attributes make it another server.
    """

    def __init__(self, toy: Toy | None = None) -> None:
        self.toy = toy or Toy()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.troubles: deque[int | str | bytes | None] = deque()
        self.at = ""
        self.model_path = "/models/toy.gguf"
        self.build = "b6000-abcdef"
        self.digest = "d1ce"
        self.tempered = self.unsteady = False
        self.most = 1000
        self.slots = 2
        self.url = ""
        self._lock = threading.Lock()

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def answer(self, path: str, question: dict[str, Any]) -> Any:
        return getattr(self, "_" + path.strip("/").replace("/", "_").replace("-", "_"))(question)

    # llama-server

    def _props(self, _: dict[str, Any]) -> Any:
        return {
            "default_generation_settings": {"n_ctx": 2048},
            "total_slots": self.slots,
            "model_path": self.model_path,
            "chat_template": CHATML,
            "bos_token": "<|endoftext|>",
            "eos_token": "<|im_end|>",
            "build_info": self.build,
        }

    def _lora_adapters(self, _: dict[str, Any]) -> Any:
        return []

    def _v1_models(self, _: dict[str, Any]) -> Any:
        meta = {"n_vocab": len(PIECES), "n_params": 10, "size": 40, "ftype": "all F32"}
        return {"data": [{"id": "toy", "root": "/models/toy", "max_model_len": 2048, "meta": meta}]}

    def _tokenize(self, question: dict[str, Any]) -> Any:
        if "messages" in question:
            return {"tokens": tokenize(self.render(question["messages"]), True)}
        text = str(question.get("content", question.get("prompt")))
        return {"tokens": tokenize(text, question.get("parse_special", True))}

    def render(self, messages: list[dict[str, str]]) -> str:
        said = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
        return said + "<|im_start|>assistant\n"

    def _detokenize(self, question: dict[str, Any]) -> Any:
        said = text_of(question["tokens"])
        return {"content": said, "prompt": said}

    def rows(self, prefix: list[int], steps: int, temperature: float, top: int) -> Iterator[tuple[int, list[Any]]]:
        prefix = list(prefix)
        for _ in range(steps):
            row = self.toy.log_probs(prefix, temperature if self.tempered and temperature else 1.0)
            if self.unsteady:
                row = np.roll(row, len(self.asked))
            order = np.argsort(-row, kind="stable")[: top if top > 1000 else min(top, self.most)]
            followed = int(row.argmax())
            yield followed, [(int(t), float(row[t])) for t in order]
            prefix.append(followed)
            if followed == 1:
                return

    def _completion(self, question: dict[str, Any]) -> Any:
        assert question["post_sampling_probs"] is False and question["cache_prompt"] is True
        found = [
            {
                "index": index,
                "completion_probabilities": [
                    {
                        "id": followed,
                        "logprob": 0.0,
                        "top_logprobs": [{"id": t, "bytes": [*PIECES[t]], "logprob": p} for t, p in top],
                    }
                    for followed, top in self.rows(
                        prompt, question["n_predict"], question.get("temperature", 0.8), question["n_probs"]
                    )
                ],
            }
            for index, prompt in enumerate(question["prompt"])
        ]
        return found[::-1] if len(found) > 1 else found[0]

    # vLLM

    def _v1_completions(self, question: dict[str, Any]) -> Any:
        assert question["return_tokens_as_token_ids"] is True
        if question["logprobs"] > self.most:
            return 400, {"error": {"message": f"Requested sample logprobs of {question['logprobs']}, which is greater"}}
        choices = []
        for index, prompt in enumerate(question["prompt"]):
            rows = [*self.rows(prompt, question["max_tokens"], question["temperature"], question["logprobs"])]
            named = [{f"token_id:{t}": p for t, p in top} for _, top in rows]
            stated = {"tokens": [f"token_id:{f}" for f, _ in rows], "top_logprobs": named}
            choices.append({"index": index, "text": "", "logprobs": stated, "finish_reason": "length"})
        return {"choices": choices}

    def _version(self, _: dict[str, Any]) -> Any:
        return {"version": self.build}

    # Ollama

    def _api_version(self, _: dict[str, Any]) -> Any:
        return {"version": "0.12.11"}

    def _api_tags(self, _: dict[str, Any]) -> Any:
        return {"models": [{"name": "toy:1b", "digest": self.digest}, {"name": "other:1b", "digest": "0f"}]}

    def _api_show(self, _: dict[str, Any]) -> Any:
        details = {"quantization_level": "Q4_K_M", "parameter_size": "1B"}
        return {"details": details, "capabilities": ["completion", "thinking"]}

    def _api_chat(self, question: dict[str, Any]) -> Any:
        assert question["stream"] is False and question["think"] is False
        options = question["options"]
        said = ("Good.\nBecause", " bad", "I cannot say")[0 if options["temperature"] == 0 else options["seed"] % 3]
        done = {"done": True, "done_reason": "stop", "prompt_eval_count": 20, "eval_count": 3}
        return {"message": {"role": "assistant", "content": said}} | done

    @contextmanager
    def running(self, secured: ssl.SSLContext | None = None) -> Iterator["FakeServer"]:
        """Listens on a free port of this machine until the end; ``secured``: by TLS."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # head and body in one piece, or each answer would take 40 ms

            def do_GET(self) -> None:
                self._do({})

            def do_POST(self) -> None:
                self._do(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _do(self, question: dict[str, Any]) -> None:
                with fake._lock:
                    fake.asked.append((self.path, question))
                    fake.headers.append(dict(self.headers))
                    meant = fake.troubles and fake.at in ("", self.path)
                    trouble = fake.troubles.popleft() if meant else None
                if trouble == "hang up":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                status, answer = 200, b""
                if isinstance(trouble, int):
                    status, answer = trouble, b'{"error": {"message": "no"}}'
                elif isinstance(trouble, bytes):
                    answer = trouble
                else:
                    found = fake.answer(self.path, question)
                    status, found = found if isinstance(found, tuple) else (200, found)
                    answer = json.dumps(found).encode()
                self.send_response(status)
                if status in (301, 302, 307, 308):
                    self.send_header("Location", "http://192.0.2.1/")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that ends in the middle of a question is no matter."""

        with allowed():
            server = Server(("127.0.0.1", 0), Handler)
        if secured is not None:
            server.socket = secured.wrap_socket(server.socket, server_side=True)
        self.url = f"http{'s' if secured else ''}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
