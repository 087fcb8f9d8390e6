"""Doubles of what is slow: an LLM that answers from a queue, a classifier and aggregators that learn in milliseconds.

They stand in the registries of annotators, learners and aggregators where the real ones do, and are made with the same
arguments, so that all of the workflow between a project's files and its database is the real one.
"""

import json
import re
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mollia_cli.aggregators.conditional_logit import ConditionalLogit
from mollia_cli.aggregators.molam import MoLAM
from mollia_cli.annotators.base import Annotator
from mollia_cli.annotators.llama.annotator import GgufAnnotator
from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.members import ENCODER
from mollia_cli.domain.metrics import micro_f1
from mollia_cli.domain.observations import FloatArray, Observation
from mollia_cli.domain.progress import Progress
from mollia_cli.domain.prompting import Decoding, Prompt, Shots
from mollia_cli.domain.registry import Registry
from mollia_cli.domain.settings import PanelSettings, Settings
from mollia_cli.learners.base import (
    DROPOUT,
    EMBEDDINGS,
    PERTURBED,
    PROBABILITIES,
    Examples,
    FitReport,
    Learner,
    SignalArray,
)
from mollia_cli.loop.needed import fit_seeds
from mollia_cli.project.context import Project

Answer = str | BaseException


def stand_in(monkeypatch: pytest.MonkeyPatch, registry: Registry, name: str, double: type) -> None:
    """Have the registry give ``double`` for ``name`` until the test ends."""
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda asked: double if asked == name else load(asked))


def of_llms(settings: Settings) -> Settings:
    """The settings without the encoders that are installed here and have joined the panel."""
    members = tuple(member for member in settings.panel.members if member.kind != ENCODER)
    return replace(settings, panel=PanelSettings(members))


def fake_file(folder: Path, name: str) -> Path:
    """A GGUF file with nothing in it, for FakeLLM; files of different names are different models."""
    path = folder / f"{name}.gguf"
    path.write_bytes(b"GGUF" + name.encode())
    return path


def tiny_encoder(folder: Path) -> Path:
    """An encoder's folder with nothing in it, for TinyLearner."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file({"weight": np.zeros(1, dtype=np.float32)}, folder / "model.safetensors")
    return folder


class FakeLLM(Annotator):
    """A panel member that answers from ``queue``; where that is empty, by its file, its prompt and the text alone.

    An answer of the queue is a label's name or, not of one, an invalid answer; an exception is raised.
    ``asked`` holds the ids of the items that it was asked of, in their order; ``read`` the examples that each was
    read with.
    """

    queue: ClassVar[deque[Answer]]
    asked: ClassVar[list[str]]
    read: ClassVar[dict[str, Shots]]
    batch = 8  # items that are yielded together
    Options = GgufAnnotator.Options
    from_spec = classmethod(GgufAnnotator.from_spec.__func__)

    def __init__(
        self,
        name: str,
        path: Path,
        labels: LabelSet,
        prompt: Prompt,
        decoding: Decoding,
        *,
        model_digest: str,
        **_: Any,
    ) -> None:
        self.name = name
        self._size = path.stat().st_size
        self._labels = labels
        self._prompt = prompt
        self._decoding = decoding
        self._digest = model_digest

    @property
    def size(self) -> int:
        return self._size

    @property
    def identity(self) -> Mapping[str, Any]:
        return {
            "annotator": "fake",
            "model": self._digest,
            "prompt": self._prompt.digest,
            "labels": self._labels.digest,
            "decoding": asdict(self._decoding),
        }

    def annotate(self, items: Sequence[Item]) -> Iterator[list[Observation]]:
        for batch in self.batches(items):
            yield [self._observation(item) for item in batch]

    def batches(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        for start in range(0, len(items), self.batch):
            yield list(items[start : start + self.batch])

    half_of = GgufAnnotator.half_of

    def preview(self, item: Item) -> str:
        return self._prompt.halves[self.half_of(item)].message(item.text)

    def _observation(self, item: Item) -> Observation:
        self.asked.append(item.id)
        self.read[item.id] = self._prompt.halves[self.half_of(item)].shots
        answer = self.queue.popleft() if self.queue else None
        if isinstance(answer, BaseException):
            raise answer
        classes, tokens = len(self._labels), len(item.text.split())
        if answer is not None and answer not in self._labels.names:
            return Observation(item.id, np.full(classes, -9.0), np.zeros(classes), 0.0, 1.0, 0.0, (answer,), tokens)
        rng = np.random.default_rng(int(digest_of([dict(self.identity), item.text])[:15], 16))
        z = rng.dirichlet(np.full(classes, 0.5)) * 0.9 + 0.1 / classes
        if answer is not None:
            z = 0.1 * z + 0.9 * np.eye(classes)[self._labels.index(answer)]
        sampled = self._decoding.votes == "sampled"
        votes = rng.multinomial(self._decoding.samples, z) / self._decoding.samples if sampled else z
        return Observation(item.id, np.log(z), votes, 1.0, 0.0, tokens=tokens)


@dataclass(eq=False)
class QuickLogit(ConditionalLogit):
    """The conditional logit with a tenth of its trees, for what is made of verdicts: its fits took a third of all time.

    As it is shipped it is tested in tests/aggregators and tests/loop/test_defaults.py.
    """

    landmarks: int = 20
    rounds: int = 1
    trees: int = 6


@dataclass(eq=False)
class QuickMoLAM(MoLAM):
    """MoLAM with fewer and larger steps: it still learns its seeds by heart."""

    learning_rate: float = 0.3
    estimators: int = 40


_FEATURES = 256


class TinyLearner(Learner):
    """Softmax regression on hashed words, trained with all of Eq. 9; made as TransformerLearner is."""

    name = "tiny"

    def __init__(
        self, encoder: Path, labels: LabelSet, *, epochs: int = 1, steps: int = 1, patience: int = 10, **settings: Any
    ) -> None:
        self.labels = labels
        self._epochs, self._steps, self._patience = epochs, steps, patience
        self._max_tokens: int = settings.get("max_tokens", 128)
        self._weights: FloatArray | None = None  # [d, K]

    def fit(
        self,
        examples: Examples,
        validation: Examples,
        negative_weight: float,
        random_seed: int,
        progress: Progress | None = None,
    ) -> FitReport:
        if not examples.texts:
            raise InputError("there is nothing to train on", "label or annotate some items first: mollia annotate")
        x, y = self._features(examples.texts), np.eye(len(self.labels))[examples.targets]
        weights = np.random.default_rng(random_seed).normal(0.0, 0.1, (_FEATURES, len(self.labels)))
        best, best_epoch, score = weights, 0, -1.0
        if progress is not None:
            progress("training", 0, self._epochs)
        for epoch in range(1, self._epochs + 1):
            for _ in range(self._steps):
                p = _softmax(x @ weights)
                against = negative_weight * examples.negatives / np.maximum(1.0 - p, 1e-6)  # of L_neg, by p
                slope = examples.weights[:, None] * (p - y) + p * (against - (p * against).sum(axis=1, keepdims=True))
                weights = weights - 20.0 * x.T @ slope / len(x)
            if progress is not None:
                progress("training", epoch, self._epochs)
            found = (
                micro_f1(validation.targets, (self._features(validation.texts) @ weights).argmax(axis=1))
                if validation.texts
                else float(epoch)
            )
            if found > score:
                best, best_epoch, score = weights, epoch, found
            elif epoch - best_epoch >= self._patience:
                break
        self._weights = best
        return FitReport(epoch, best_epoch, epoch < self._epochs, 0.01)

    def signals(
        self, texts: Sequence[str], needs: frozenset[str], random_seed: int, progress: Progress | None = None
    ) -> dict[str, SignalArray]:
        if self._weights is None:
            raise RefusedError("the learner is not trained yet", "train it first: mollia train")
        x, weights, rng = self._features(texts), self._weights, np.random.default_rng(random_seed)
        p = _softmax(x @ weights)
        noisy = [_softmax(x @ (weights + rng.normal(0.0, 0.1, weights.shape))) - p for _ in range(3)]
        masks = rng.random((5, _FEATURES, 1)) < 0.9
        found = {
            PROBABILITIES: p,
            EMBEDDINGS: x,
            DROPOUT: np.stack([_softmax(x @ (weights * mask)) for mask in masks]),
            PERTURBED: np.concatenate(noisy, axis=1),
        }
        return {name: found[name] for name in needs}

    def save(self, folder: Path) -> None:
        assert self._weights is not None
        folder.mkdir(parents=True, exist_ok=True)
        config = {"labels": self.labels.names, "max_tokens": self._max_tokens}
        (folder / "config.json").write_text(json.dumps(config))
        save_file({"weights": self._weights}, folder / "model.safetensors")

    @classmethod
    def load(cls, folder: Path, **settings: Any) -> Self:
        config = json.loads((folder / "config.json").read_text())
        learner = cls(folder, LabelSet(tuple(config["labels"])), max_tokens=config["max_tokens"])
        learner._weights = load_file(folder / "model.safetensors")["weights"]
        return learner

    @classmethod
    def rename(cls, folder: Path, labels: LabelSet) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"labels": labels.names}))

    def _features(self, texts: Sequence[str]) -> FloatArray:
        """[n, d] shares of hashed words, as many of each text as it may have tokens."""
        x = np.zeros((len(texts), _FEATURES))
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower())[: self._max_tokens]:
                x[row, zlib.crc32(word.encode()) % _FEATURES] += 1.0
        return np.asarray(x / np.maximum(x.sum(axis=1, keepdims=True), 1.0))


def _softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def answers(project: Project, right: int) -> list[str]:
    """An answer to each seed: its label for the first so many, else another one."""
    names = project.labels.names
    seeds = [item.label for item in fit_seeds(project) if item.label is not None]
    return [names[label if row < right else (label + 1) % len(names)] for row, label in enumerate(seeds)]


def heard(project: Project) -> list[str]:
    """What the project says from now on."""
    said: list[str] = []
    project.say = said.append
    return said
