"""A pretrained encoder that reads texts and never learns; what it has read is kept."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from mollia_cli.domain.digest import digest_file, digest_of
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.observations import IntArray
from mollia_cli.domain.progress import Progress, silent, step
from mollia_cli.learners.devices import choose_device, fast_dtype, use_threads
from mollia_cli.learners.embeddings import AT_ONCE, HALF, EmbeddingStore, Keeps, Read, Vectors
from mollia_cli.learners.inference import pooled_layers
from mollia_cli.learners.pretrained import check_folder, load_pretrained, load_tokenizer, most_tokens
from mollia_cli.learners.tokens import TokenStore

_ANY_LABELS = ("a", "b")  # of the head that comes with the body and is not used


class FrozenEncoder:
    """The encoder in ``folder``, loaded when a text has to be read that is not in the side files.

    keep: the folder of the side files, below which each encoder has its own; None keeps nothing. keeps: which texts
    are kept there (None: all). A vector belongs to the weights, the tokenizer with its longest text and the precision:
    see EmbeddingStore.
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
        keeps: Keeps | None = None,
    ) -> None:
        self.folder = check_folder(folder)
        self._tokens = tokens
        self._max_tokens = max_tokens
        self._device = device
        self._dtype = dtype
        self._threads = threads
        self.keep = keep
        self._keeps = keeps
        self._body: Any = None

    @classmethod
    def open(cls, folder: Path, max_tokens: int, *, threads: int = 0, keep: Path | None = None) -> Self:
        """The encoder on the device at hand; its texts are cut at ``max_tokens``."""
        device = choose_device("auto")
        tokens = TokenStore(load_tokenizer(folder), max_tokens, None)
        return cls(folder, tokens, max_tokens, device=device, dtype=fast_dtype(device), threads=threads, keep=keep)

    def thirds(self, texts: Sequence[str], progress: Progress = silent) -> Vectors:
        """[n, 3, d] float32: mean states over a text's tokens and the first, middle and last third of the layers.

        What a label is about may stand in early layers (a question's type does); a third of them takes less room.
        """
        return self._store.get(texts, self._reader(texts, progress)).astype(np.float32)

    def parts(self, texts: Sequence[str], progress: Progress = silent) -> Iterator[Vectors]:
        """The same of some texts after the others: the thirds of a large pool need not be in memory together."""
        for part in self._store.parts(texts, self._reader(texts, progress), AT_ONCE):
            yield part.astype(np.float32)

    def _reader(self, texts: Sequence[str], progress: Progress) -> Read:
        # characters, because the longest texts are read first; no text has none
        done, total = 0, sum(map(len, self.unread(texts)))
        what = f"embedding with {self.folder.name} (characters)"

        def read(part: Sequence[str]) -> Vectors:
            def heard(rows: IntArray) -> None:
                nonlocal done
                done += sum(len(part[row]) for row in rows)
                progress(what, done, total)

            with step(progress, f"loading {self.folder.name}"):
                body = self.body()
            progress(what, done, total)
            found = pooled_layers(body, self._tokens.encode(part), self._device, heard)
            return np.stack([found[:, third].mean(axis=1) for third in thirds_of(found.shape[1])], axis=1)

        return read

    def longer(self, texts: Sequence[str]) -> int:
        """How many of the texts are cut."""
        return self._tokens.longer(texts)

    def close(self) -> None:
        """Free the weights; reading again loads them again."""
        self._body = None

    @cached_property
    def identity(self) -> str:
        """What ``thirds`` depend on; it takes a second of reading the weights."""
        files = [self.folder / "config.json", *sorted(self.folder.glob("model*.safetensors"))]
        weights = [digest_file(path) for path in files]
        return digest_of([weights, self._tokens.identity, str(self._dtype), "thirds of the layers", HALF])

    def unread(self, texts: Sequence[str]) -> Sequence[str]:
        """The distinct texts that ``thirds`` would have to read, the longest first."""
        return self._store.missing(texts)

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

    @cached_property
    def _store(self) -> EmbeddingStore:
        return EmbeddingStore(None if self.keep is None else self.keep / self.identity[:32], self._keeps)


def thirds_of(states: int) -> list[IntArray]:
    """Which of an encoder's ``states`` each third holds.

    The first, the embeddings', is left out; of fewer than three layers each stands alone.
    """
    return np.array_split(np.arange(1, states), min(3, states - 1))
