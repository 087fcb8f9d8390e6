"""Small made-up panels whose gold labels are known."""

from collections.abc import Mapping, Sequence

import numpy as np

from mollia_cli.domain.observations import FloatArray, IntArray, Panel, Texts
from mollia_cli.domain.rng import stream


def made_panel(n: int, annotators: int = 3, classes: int = 4, seed: int = 0) -> tuple[Panel, IntArray]:
    """n items; each annotator is right on about 70% of them, more surely so where it is right."""
    rng = stream(seed, "made panel", n, annotators, classes)
    gold = rng.integers(0, classes, n)
    logits = rng.normal(0.0, 1.0, (n, annotators, classes))
    logits[np.arange(n), :, gold] += 2.0
    z = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    votes = np.array([[rng.multinomial(10, row / row.sum()) / 10 for row in item] for item in z])
    names = tuple(f"llm{i}" for i in range(annotators))
    return Panel(tuple(f"item{i}" for i in range(n)), names, np.log(z), votes), gold.astype(np.int64)


def panel_of(z: FloatArray, votes: FloatArray) -> Panel:
    """A panel from label probabilities and votes, both [n, N, K]."""
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.asarray(z, dtype=np.float64))
    ids = tuple(f"item{i}" for i in range(len(log_probs)))
    return Panel(
        ids, tuple(f"llm{i}" for i in range(log_probs.shape[1])), log_probs, np.asarray(votes, dtype=np.float64)
    )


def made_texts(ids: Sequence[str], embeddings: Mapping[str, FloatArray]) -> Texts:
    """Encoders that have read the texts of ``ids``; embeddings: [n, L, d] of each."""
    row = {item_id: number for number, item_id in enumerate(ids)}
    return Texts(tuple(embeddings), lambda name, wanted: embeddings[name][[row[one] for one in wanted]])


def telling_texts(panel: Panel, gold: IntArray, places: int = 2) -> Texts:
    """One encoder whose embeddings hold the label, noisily."""
    rng = stream(0, "telling texts", len(gold))
    rows = np.eye(panel.classes)[gold][:, None] + rng.normal(0.0, 0.6, (len(gold), places, panel.classes))
    return made_texts(panel.ids, {"mini": rows})
