"""Texts as token ids: each text tokenised once, kept ragged, padded only within a batch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.files import new_file
from mollia_cli.domain.observations import IntArray
from mollia_cli.learners.embeddings import KEY_BYTES, text_key

Ids = NDArray[np.int32]
_CHUNK = 4096
_GROWN = 8  # the side file is written when an eighth of it is new, not with every part of a large pool
_PASS_COST = 50  # tokens that take as long as one more pass of a small encoder takes beside its tokens


@dataclass(frozen=True, slots=True)
class Encoded:
    """n texts as token ids: text i is ``flat[starts[i] : starts[i] + lengths[i]]``."""

    flat: Ids
    starts: IntArray
    lengths: IntArray
    pad: int

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, rows: IntArray) -> "Encoded":
        """Some of the texts, in the order given; the ids are shared."""
        return Encoded(self.flat, self.starts[rows], self.lengths[rows], self.pad)

    def distinct(self) -> IntArray:
        """The token ids that batches of these texts can hold (the padding's among them), ascending."""
        ends = np.cumsum(self.lengths)
        where = np.repeat(self.starts - (ends - self.lengths), self.lengths) + np.arange(self.lengths.sum())
        return np.union1d(self.flat[where], [self.pad]).astype(np.int64)

    def padded(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """(ids, attention mask), both [n, longest of these rows]."""
        lengths = self.lengths[rows]
        offsets = np.arange(int(lengths.max()))
        mask = offsets < lengths[:, None]
        where = self.starts[rows][:, None] + np.minimum(offsets, lengths[:, None] - 1)
        return np.where(mask, self.flat[where], self.pad).astype(np.int64), mask.astype(np.int64)


def plan_batches(lengths: IntArray, budget: int) -> list[IntArray]:
    """Rows in batches of like length, longest first: rows x longest <= ``budget`` tokens, one row at least.

    The distinct lengths are cut into the groups that cost least, where the cost is every padded
    token and, for each batch, what one more pass costs beside its tokens.
    """
    order = np.argsort(-lengths, kind="stable")
    negated, counts = np.unique(-lengths, return_counts=True)
    longest, upto = -negated, np.concatenate([[0], np.cumsum(counts)])
    size = np.maximum(1, budget // longest)
    cheapest, cut = np.zeros(len(longest) + 1), np.zeros(len(longest) + 1, dtype=np.int64)
    for end in range(1, len(longest) + 1):
        rows = upto[end] - upto[:end]
        costs = cheapest[:end] + rows * longest[:end] + _PASS_COST * np.ceil(rows / size[:end])
        cut[end] = np.argmin(costs)
        cheapest[end] = costs[cut[end]]
    batches: list[IntArray] = []
    end = len(longest)
    while end:
        start = int(cut[end])
        group = order[upto[start] : upto[end]]
        batches = [*np.split(group, range(int(size[start]), len(group), int(size[start]))), *batches]
        end = start
    return batches


class TokenStore:
    """Tokenises each distinct text once where there is a side file to keep it in; else nothing is kept.

    The side file holds digests of texts and their token ids (safetensors); one that another
    tokenizer or length wrote, or that is damaged, is written anew.
    """

    def __init__(self, tokenizer: Any, max_tokens: int, path: Path | None = None) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._path = path
        self.identity = _identity(tokenizer, max_tokens)
        self._clear()
        if path is not None and path.is_file():
            self._read(path)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The texts' token ids, special tokens included, cut at ``max_tokens``."""
        keys = [text_key(text) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows}
        if new:
            self._add(list(new), list(new.values()))
        rows = np.fromiter((self._rows[key] for key in keys), dtype=np.int64, count=len(keys))
        found = Encoded(self._flat, self._starts[rows], self._lengths[rows], self._tokenizer.pad_token_id)
        if self._path is None:
            self._clear()
        return found

    def longer(self, texts: Sequence[str]) -> int:
        """How many of the texts have more than ``max_tokens`` tokens, and are cut."""
        full = self.encode(texts).lengths == self._max_tokens
        whole = self._tokenize([text for text, is_full in zip(texts, full, strict=True) if is_full], more=1)
        return sum(len(row) > self._max_tokens for row in whole)

    def _clear(self) -> None:
        self._rows: dict[bytes, int] = {}
        self._flat = np.zeros(0, dtype=np.int32)
        self._starts = np.zeros(0, dtype=np.int64)
        self._lengths = np.zeros(0, dtype=np.int64)
        self._unwritten = 0

    def _add(self, keys: list[bytes], texts: list[str]) -> None:
        ids: list[Ids] = []
        lengths: list[int] = []
        for start in range(0, len(texts), _CHUNK):
            chunk = self._tokenize(texts[start : start + _CHUNK])
            lengths += map(len, chunk)
            ids.append(np.concatenate([np.asarray(row, dtype=np.int32) for row in chunk]))
        self._rows |= {key: len(self._rows) + row for row, key in enumerate(keys)}
        self._lengths = np.concatenate([self._lengths, np.asarray(lengths, dtype=np.int64)])
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._flat = np.concatenate([self._flat, *ids])
        self._unwritten += len(keys)
        if self._path is not None and _GROWN * self._unwritten >= len(self._rows):
            self._write(self._path)
            self._unwritten = 0

    def _tokenize(self, texts: list[str], more: int = 0) -> list[list[int]]:
        if not texts:
            return []
        # A lone surrogate cannot cross into the tokenizer's UTF-8.
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        options = {"truncation": True, "max_length": self._max_tokens + more, "return_attention_mask": False}
        result: list[list[int]] = self._tokenizer(clean, **options)["input_ids"]
        return result

    def _read(self, path: Path) -> None:
        try:
            with safe_open(path, framework="numpy") as side:
                if (side.metadata() or {}).get("identity") != self.identity:
                    return
                self._flat, self._lengths = side.get_tensor("ids"), side.get_tensor("lengths")
                keys = side.get_tensor("keys")
        except (SafetensorError, OSError):
            return
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._rows = {key.tobytes(): row for row, key in enumerate(keys)}

    def _write(self, path: Path) -> None:
        keys = np.frombuffer(b"".join(self._rows), dtype=np.uint8).reshape(-1, KEY_BYTES)
        tensors = {"ids": self._flat, "lengths": self._lengths, "keys": keys}
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as unfinished:
            save_file(tensors, unfinished, metadata={"identity": self.identity})


def _identity(tokenizer: Any, max_tokens: int) -> str:
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    # How the tokenizer was called last, not what it is.
    del state["truncation"], state["padding"]
    return digest_of([state, max_tokens])
