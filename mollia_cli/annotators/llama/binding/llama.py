"""The boundary with llama.cpp: a model, a context, a batch. The only module that imports llama_cpp."""

import ctypes
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mollia_cli.annotators.llama.binding.header import read_header
from mollia_cli.domain.errors import InputError, MolliaError, RefusedError
from mollia_cli.domain.processor import processor_name

TokenArray = NDArray[np.int32]
Logits = NDArray[np.float32]

_CONTROL = 1 << 3  # LLAMA_TOKEN_ATTR_CONTROL
_UNKNOWN = 1 << 0  # LLAMA_TOKEN_ATTR_UNKNOWN
_DEBUG, _CONTINUES = 1, 5  # ggml_log_level


class DecodeError(MolliaError):
    """llama_decode refused a batch; ``status`` is its return value (1: no room in the cache)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"llama.cpp could not decode a batch (status {status})", "see the log file for its reason")
        self.status = status


class _Log:
    """Where llama.cpp's chatter goes: a file, and the last lines for error messages; debug lines go nowhere."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.recent: deque[str] = deque(maxlen=40)
        self._level = 0

    def write(self, level: int, text: bytes | None, _data: Any) -> None:
        """llama.cpp's callback; it must not raise."""
        self._level = self._level if level == _CONTINUES else level
        if self._level <= _DEBUG:
            return
        line = (text or b"").decode("utf-8", "replace")
        self.recent.append(line)
        if self.path is not None:
            with suppress(OSError), open(self.path, "a", encoding="utf-8", opener=_only_mine) as handle:
                handle.write(line)

    def reason(self) -> str:
        """The last line that speaks of an error, without llama.cpp's function name."""
        for line in reversed(self.recent):
            if "error" in line or "corrupt" in line or "invalid" in line:
                return line.strip().split(": ", 1)[-1]
        return ""


def _only_mine(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


_LOG = _Log()
_KEEP: list[Any] = []  # ctypes callbacks must outlive their registration


@cache
def lib() -> Any:
    """llama_cpp, imported at the first call, with its log routed away from stderr."""
    import llama_cpp

    callback = llama_cpp.llama_log_callback(_LOG.write)
    _KEEP.append(callback)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    _load_backends(Path(llama_cpp.__file__).parent / "lib")
    llama_cpp.llama_backend_init()
    return llama_cpp


def _load_backends(folder: Path) -> None:
    """In a portable build, take the library for this processor from the package's own folder.

    llama.cpp itself would look beside the program and in the current folder, where anybody may have put one.
    Raises RefusedError where none of them runs on this processor.
    """
    ggml = ggml_of_llama()
    if not ggml.ggml_backend_reg_count():
        ggml.ggml_backend_load_all_from_path(str(folder).encode())
    if not ggml.ggml_backend_reg_count():
        raise RefusedError(
            f"this build of llama.cpp has no kernels for this processor ({processor_name()})",
            "compile llama-cpp-python on this machine (docs/processors.md)",
        )


@cache
def ggml_of_llama() -> Any:
    """The ggml that llama.cpp itself uses: a wheel holds each library under several names, and each would be another.

    So it is reached through libllama, as one of the libraries that it needs; Windows cannot do that, and needs not.
    """
    if os.name == "nt":
        from llama_cpp._ggml import libggml as ggml
    else:
        from llama_cpp.llama_cpp import _lib as ggml
    ggml.ggml_backend_reg_count.restype = ctypes.c_size_t
    ggml.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
    ggml.ggml_backend_load_all_from_path.restype = None
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    ggml.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    for name in ("ggml_backend_dev_name", "ggml_backend_dev_description"):
        getattr(ggml, name).restype = ctypes.c_char_p
        getattr(ggml, name).argtypes = [ctypes.c_void_p]
    return ggml


def log_to(path: Path | None) -> None:
    """Send llama.cpp's log to ``path`` (appended) from now on; None drops it."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    _LOG.path = path


class Model:
    """A GGUF file opened by llama.cpp; ``extra_buffers``: with its weights laid out for the quickest kernels.

    Raises NotFoundError for a missing file, RefusedError for one that cannot be loaded, and InputError for
    GPU layers that the library cannot run.
    """

    def __init__(
        self, path: Path, *, gpu_layers: int = -1, vocab_only: bool = False, extra_buffers: bool = True
    ) -> None:
        header = read_header(path)
        header.check_whole()
        api = lib()
        if gpu_layers > 0 and not api.llama_supports_gpu_offload():
            raise InputError(
                f"{gpu_layers} GPU layers are asked for, but this llama-cpp-python was built without GPU support",
                "install a build for your GPU (see mollia doctor), or leave GPU layers out",
            )
        params = api.llama_model_default_params()
        params.vocab_only = vocab_only
        params.n_gpu_layers = gpu_layers
        params.use_extra_bufts = extra_buffers
        _LOG.recent.clear()
        self._api = api
        self.path = path
        self.main_type = header.main_type
        self.handle = api.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            raise RefusedError(
                f"llama.cpp cannot load {path}: {_LOG.reason() or 'no reason given'}",
                "check the file: mollia models check",
            )
        self.vocab = api.llama_model_get_vocab(self.handle)
        self.n_vocab = int(api.llama_vocab_n_tokens(self.vocab))
        # llama.cpp does not read it with the vocabulary alone
        self.context_train = int(api.llama_model_n_ctx_train(self.handle)) or header.setting("context_length", 0)
        self.keeps_partial_state = not (
            api.llama_model_is_recurrent(self.handle) or api.llama_model_is_hybrid(self.handle)
        )
        if not api.llama_model_has_decoder(self.handle) or api.llama_model_has_encoder(self.handle):
            self.close()
            raise RefusedError(f"{path} is no decoder-only language model", "choose another: mollia models list")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the weights."""
        if self.handle:
            self._api.llama_model_free(self.handle)
            self.handle = None

    @property
    def chat_template(self) -> str | None:
        """The Jinja chat template in the file's metadata, or None (a base model)."""
        raw = self._api.llama_model_chat_template(self.handle, None)
        return raw.decode("utf-8", "replace") if raw else None

    @property
    def adds_bos(self) -> bool:
        """Whether the tokenizer puts a BOS token first."""
        return bool(self._api.llama_vocab_get_add_bos(self.vocab))

    @property
    def bos(self) -> str:
        """Text of the BOS token, or ''."""
        return self._text(self._api.llama_vocab_bos(self.vocab))

    @property
    def eos(self) -> str:
        """Text of the EOS token, or ''."""
        return self._text(self._api.llama_vocab_eos(self.vocab))

    def _text(self, token: int) -> str:
        raw = self._api.llama_vocab_get_text(self.vocab, token) if token >= 0 else b""
        return str((raw or b"").decode("utf-8", "replace"))

    @cached_property
    def control_texts(self) -> tuple[str, ...]:
        """Texts of all control tokens: where one of these stands in a template, tokenisation restarts."""
        attr = self._api.llama_vocab_get_attr
        texts = (self._text(t) for t in range(self.n_vocab) if attr(self.vocab, t) & (_CONTROL | _UNKNOWN))
        return tuple(text for text in texts if text)

    @cached_property
    def end_tokens(self) -> tuple[int, ...]:
        """Tokens that end a generation (EOS, end of turn, ...)."""
        is_end = self._api.llama_vocab_is_eog
        return tuple(t for t in range(self.n_vocab) if is_end(self.vocab, t))

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of every token, [n_vocab]; b'' for control tokens."""
        return [self.piece(token) for token in range(self.n_vocab)]

    def piece(self, token: int) -> bytes:
        """The bytes that a token adds to a text."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            used = self._api.llama_token_to_piece(self.vocab, token, buffer, size, 0, False)
            if used >= 0:
                return buffer.raw[:used]
            size = -used

    def tokenize(self, text: str, *, add_special: bool = False, parse_special: bool = False) -> TokenArray:
        """Token ids of a text; with ``parse_special`` control tokens are recognised in it."""
        raw = text.encode("utf-8", "replace")
        size = len(raw) + 8
        while True:
            buffer = np.empty(size, dtype=np.int32)
            pointer = buffer.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
            used = self._api.llama_tokenize(self.vocab, raw, len(raw), pointer, size, add_special, parse_special)
            if used >= 0:
                return buffer[:used].copy()
            size = -used

    def detokenize(self, tokens: Sequence[int] | TokenArray) -> str:
        """The text of tokens with control tokens shown."""
        ids = np.asarray(tokens, dtype=np.int32)
        pointer = ids.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        size = 16 * len(ids) + 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            used = self._api.llama_detokenize(self.vocab, pointer, len(ids), buffer, size, False, True)
            if used >= 0:
                return buffer.raw[:used].decode("utf-8", "replace")
            size = -used


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """How attention is computed and its keys and values are kept; these change the numbers a little."""

    flash: bool = True
    unified: bool = True
    type: str = "f16"


_KV_TYPES = {"f32": 0, "f16": 1}  # ggml_type


class Context:
    """A KV cache of ``cells`` tokens for ``sequences`` sequences, and one reusable batch of ``batch`` tokens.

    Raises MolliaError where llama.cpp cannot make it (memory).
    """

    def __init__(
        self,
        model: Model,
        *,
        cells: int,
        sequences: int,
        batch: int,
        threads: int,
        cache: CacheSettings = CacheSettings(),
    ) -> None:
        api = lib()
        params = api.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = batch
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = int(cache.flash)
        params.kv_unified = cache.unified
        params.type_k = params.type_v = _KV_TYPES[cache.type]
        params.swa_full = True  # a window's cache could not keep the shared prefix
        params.no_perf = True
        self._api = api
        self.model = model
        self.cells = cells
        self.capacity = batch
        self.sequences = sequences
        self.handle = api.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise MolliaError(
                f"llama.cpp cannot make a context of {cells} cells for {model.path.name}: {_LOG.reason()}",
                "lower annotate.context in mollia.toml, or use a smaller model",
            )
        self._memory = api.llama_get_memory(self.handle)
        self._row_type = ctypes.c_float * model.n_vocab
        self._token = np.zeros(batch, dtype=np.int32)
        self._position = np.zeros(batch, dtype=np.int32)
        self._sequences: list[TokenArray] = []  # of the batch's tokens; llama.cpp reads them at the decode
        self._count = np.ones(batch, dtype=np.int32)
        self._wanted = np.zeros(batch, dtype=np.int8)
        self._addresses = np.zeros(batch, dtype=np.uint64)
        int32 = ctypes.POINTER(ctypes.c_int32)
        self._batch = api.llama_batch(
            0,
            self._token.ctypes.data_as(int32),
            None,
            self._position.ctypes.data_as(int32),
            self._count.ctypes.data_as(int32),
            self._addresses.ctypes.data_as(ctypes.POINTER(int32)),
            self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )
        self.used = 0
        self._thread_count = threads

    def close(self) -> None:
        """Free the cache."""
        if self.handle:
            self._api.llama_free(self.handle)
            self.handle = None

    @property
    def room(self) -> int:
        """Tokens that still fit into the batch."""
        return self.capacity - self.used

    def add(self, tokens: TokenArray | int, start: int, sequences: Sequence[int], *, want_last: bool) -> int:
        """Append tokens at positions ``start``... that all these sequences share; returns the last one's index."""
        end = self.used + (1 if isinstance(tokens, int) else len(tokens))
        span = slice(self.used, end)
        members = np.array(sequences, dtype=np.int32)
        self._sequences.append(members)
        self._token[span] = tokens
        self._position[span] = np.arange(start, start + end - self.used)
        self._addresses[span] = members.ctypes.data
        self._count[span] = len(members)
        self._wanted[span] = 0
        self._wanted[end - 1] = want_last
        self.used = end
        return end - 1

    def decode(self) -> None:
        """Run the batch and empty it; DecodeError where llama.cpp refuses it."""
        self._batch.n_tokens = self.used
        self.used = 0
        status = self._api.llama_decode(self.handle, self._batch)
        self._sequences.clear()
        if status != 0:
            raise DecodeError(status)
        self._api.llama_synchronize(self.handle)

    def logits(self, index: int) -> Logits:
        """The logits [n_vocab] of a batch position that wanted them; a view, valid until the next decode."""
        pointer = self._api.llama_get_logits_ith(self.handle, index)
        address = ctypes.cast(pointer, ctypes.c_void_p).value
        if address is None:
            raise DecodeError(-1)
        return np.asarray(np.ctypeslib.as_array(self._row_type.from_address(address)), dtype=np.float32)

    def set_threads(self, threads: int) -> None:
        """Use this many CPU threads from the next decode on."""
        if threads != self._thread_count:
            self._api.llama_set_n_threads(self.handle, threads, threads)
            self._thread_count = threads

    def copy_sequence(self, source: int, target: int, end: int = -1) -> None:
        """Let ``target`` see the first ``end`` positions of ``source`` too (shared cells, no copy)."""
        self._api.llama_memory_seq_cp(self._memory, source, target, 0, end)

    def drop_sequence(self, sequence: int) -> None:
        """Free what only this sequence sees."""
        self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def clear(self) -> None:
        """Forget everything."""
        self._api.llama_memory_clear(self._memory, False)
