"""A pretrained encoder that reads texts and never learns; what it has read is kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mollia_cli.domain.digest import digest_file, digest_of
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.progress import Progress, silent
from mollia_cli.learners.devices import use_threads
from mollia_cli.learners.embeddings import EmbeddingStore, Vectors
from mollia_cli.learners.inference import pooled_layers
from mollia_cli.learners.pretrained import check_folder, load_pretrained, most_tokens
from mollia_cli.learners.tokens import TokenStore

_ANY_LABELS = ("a", "b")  # of the head that comes with the body and is not used


class FrozenEncoder:
    """The encoder in ``folder``, loaded when a text has to be read that is not in the side files.

    keep: the folder of the side files, below which each encoder has its own; None keeps nothing. A vector belongs
    to the weights, the tokenizer with its longest text, the precision and the layers: see EmbeddingStore.
    """

    def __init__(
        self,
        folder: Path,
        tokens: TokenStore,
        max_tokens: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
        threads: int = 0,
        keep: Path | None = None,
    ) -> None:
        self.folder = check_folder(folder)
        self._tokens = tokens
        self._max_tokens = max_tokens
        self._device = device
        self._dtype = dtype
        self._threads = threads
        self._keep = keep
        self._body: Any = None
        self._stores: dict[bool, EmbeddingStore] = {}

    def layers(self, texts: Sequence[str], progress: Progress = silent) -> list[FloatArray]:
        """[n, d] of each layer, the embeddings' first: the mean of its states over a text's tokens."""
        found = self._read(texts, last=False, progress=progress)
        return [found[:, layer].astype(np.float64) for layer in range(found.shape[1])]

    def sentences(self, texts: Sequence[str], progress: Progress = silent) -> Vectors:
        """[n, d] float32: the last layer's mean state, of length 1."""
        found = self._read(texts, last=True, progress=progress)[:, 0]
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))

    def unread(self, texts: Sequence[str]) -> Sequence[str]:
        """The distinct texts that ``sentences`` would have to read, the longest first."""
        return self._store(last=True).missing(texts)

    def body(self) -> Any:
        """The model without a head, in the precision in which it reads."""
        if self._body is None:
            use_threads(self._threads)
            model: Any = load_pretrained(self.folder, _ANY_LABELS, 0, self._device)
            if self._max_tokens > most_tokens(model):
                raise InputError(
                    f"max_tokens is {self._max_tokens}, but the encoder takes {most_tokens(model)} at most",
                    f"set max_tokens to {most_tokens(model)} or less",
                )
            self._body = model.base_model.to(self._dtype).eval().requires_grad_(False)
        return self._body

    def _read(self, texts: Sequence[str], last: bool, progress: Progress) -> Vectors:
        store = self._store(last)
        done, total = 0, 0

        def told(more: int) -> None:
            nonlocal done
            done += more
            progress("embedding", done, total)

        def read(part: Sequence[str]) -> Vectors:
            return pooled_layers(self.body(), self._tokens.encode(part), self._device, last, told)

        total = len(store.missing(texts))
        return store.get(texts, read)

    def _store(self, last: bool) -> EmbeddingStore:
        if last not in self._stores:
            folder = None if self._keep is None else self._keep / self._identity(last)[:32]
            self._stores[last] = EmbeddingStore(folder)
        return self._stores[last]

    def _identity(self, last: bool) -> str:
        files = [self.folder / "config.json", *sorted(self.folder.glob("model*.safetensors"))]
        weights = [digest_file(path) for path in files]
        return digest_of([weights, self._tokens.identity, str(self._dtype), "last layer" if last else "all layers"])
