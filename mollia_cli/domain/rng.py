"""Randomness only through named streams derived from one project seed."""

import hashlib

import numpy as np


def stream(seed: int, *names: object) -> np.random.Generator:
    """The random generator for a purpose, e.g. ``stream(7, "select", "run-1", 3)``.

    Streams of different names are independent, and adding one never shifts another.
    """
    return np.random.default_rng(stream_seed(seed, *names))


def stream_seed(seed: int, *names: object) -> int:
    """A 63-bit integer seed for libraries that want a number (torch, XGBoost)."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
