"""A softmax regression on the thirds of a pretrained encoder's layers; the encoder stays as it is."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.files import link_or_copy, new_folder, write_private
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.progress import Progress, silent
from mollia_cli.domain.rng import stream
from mollia_cli.learners.base import (
    DROPOUT,
    EMBEDDINGS,
    HEAD_WEIGHTS,
    PERTURBED,
    PROBABILITIES,
    SIGNALS,
    Examples,
    FitReport,
    Learner,
    SignalArray,
    in_parts,
)
from mollia_cli.learners.devices import choose_device, fast_dtype
from mollia_cli.learners.embeddings import HALF, Keeps, Vectors
from mollia_cli.learners.frozen import FrozenEncoder
from mollia_cli.learners.head import Head, Scaling, choose_ridge, fit_head, shortened, softmax
from mollia_cli.learners.inference import DROPOUT_SAMPLES, NOISE_SCALE, NOISES
from mollia_cli.learners.pretrained import load_tokenizer
from mollia_cli.learners.tokens import TokenStore

HEAD_FILE = "head.json"
_DROPPED = 0.1  # the share of an embedding's coordinates that a dropout sample lacks, as in BERT's heads


class LinearLearner(Learner):
    """Any encoder of TransformerLearner; its ``thirds`` (see FrozenEncoder), side by side, are a text's features.

    max_tokens: texts are cut there. threads: 0 is torch's own choice. device: "auto", "cpu", "cuda", ...
    embeddings: the folder that keeps embeddings between runs; keeps: of which texts (None: all). How strongly the head
    is regularised is chosen by cross-validation on the gold examples of each fit.
    """

    name: ClassVar[str] = "linear"
    frozen: ClassVar[bool] = True

    def __init__(
        self,
        encoder: Path,
        labels: LabelSet,
        *,
        max_tokens: int = 128,
        threads: int = 0,
        device: str = "auto",
        embeddings: Path | None = None,
        keeps: Keeps | None = None,
        **_: Any,
    ) -> None:
        if max_tokens < 1:
            raise InputError(f"max_tokens is {max_tokens}", "give a whole number of 1 or more")
        self.labels = labels
        self._max_tokens = max_tokens
        self._tokenizer = load_tokenizer(encoder)
        where = choose_device(device)
        self._encoder = FrozenEncoder(
            encoder,
            TokenStore(self._tokenizer, max_tokens),  # a text whose embedding is kept is tokenised once
            max_tokens,
            device=where,
            dtype=fast_dtype(where),
            threads=threads,
            keep=embeddings,
            keeps=keeps,
        )
        self._head: Head | None = None
        self._ridge = 0.0

    def fit(
        self,
        examples: Examples,
        validation: Examples,
        negative_weight: float,
        random_seed: int,
        progress: Progress | None = None,
    ) -> FitReport:
        """Fit the head to its least loss; ``random_seed`` cuts the parts of the cross-validation.

        Gold validation examples are not learned from: they measure. Raises InputError without examples.
        """
        if not examples.texts:
            raise InputError("there is nothing to train on", "label or annotate some items first: mollia annotate")
        begin = perf_counter()
        thirds = self._encoder.thirds(examples.texts, progress or silent)
        scaling = Scaling.of(thirds)
        features, basis = shortened(scaling.apply(thirds))
        self._ridge = choose_ridge(features, examples, negative_weight, random_seed)
        head = fit_head(features, examples, negative_weight, self._ridge)
        self._head = scaling.fold(Head(head.weight @ basis, head.bias))
        return FitReport(1, 1, False, perf_counter() - begin, [{"ridge": self._ridge}])

    def signals(
        self, texts: Sequence[str], needs: frozenset[str], random_seed: int, progress: Progress | None = None
    ) -> dict[str, SignalArray]:
        """The signals asked for, rows as in ``texts``; all come from one reading of a text.

        probabilities [n, K]; embeddings [n, d], the last third; dropout [10, n, K], a tenth of the features left
        out (the others grow by 1 / .9); perturbed [n, 30 K] as of TransformerLearner, the head being all the weights
        that were trained. Raises RefusedError before ``fit`` or ``load``.
        """
        unknown = needs - SIGNALS
        if unknown:
            raise InputError(f"no signal is called {min(unknown)!r}", f"known: {', '.join(sorted(SIGNALS))}")
        head = self._trained()
        if not needs:
            return {}
        draws = stream(random_seed, "dropout")

        def signals_of(thirds: Vectors) -> dict[str, SignalArray]:
            features = thirds.reshape(len(thirds), head.weight.shape[1])
            found: dict[str, SignalArray] = {}
            if PROBABILITIES in needs:
                found[PROBABILITIES] = softmax(head.logits(features))
            if EMBEDDINGS in needs:
                found[EMBEDDINGS] = thirds[:, -1].astype(HALF)  # which is how they are kept
            if DROPOUT in needs:
                found[DROPOUT] = _dropout(head, features, draws)
            if PERTURBED in needs:
                found[PERTURBED] = _perturbed(head, features, stream(random_seed, "weight noise"))
            return found

        return in_parts(map(signals_of, self._encoder.parts(texts, progress or silent)), len(texts), self._encoder.keep)

    def unread(self, texts: Sequence[str]) -> Sequence[str]:
        """The distinct texts that the encoder has not read yet, the longest first."""
        return self._encoder.unread(texts)

    def longer(self, texts: Sequence[str]) -> int:
        """How many of the texts are cut."""
        return self._encoder.longer(texts)

    def save(self, folder: Path) -> None:
        """Write the encoder as it was (config.json, weights, tokenizer) with head.safetensors and head.json.

        ``transformers.AutoModel`` loads the encoder; the head is ``weight`` [K, 3d] and ``bias`` [K] on the features.
        The folder appears whole or not at all.
        """
        head = self._trained()
        about = {
            "learner": self.name,
            "labels": self.labels.names,
            "max_tokens": self._max_tokens,
            "pooling": "means over tokens and over the first, middle and last third of the layers, side by side",
            "ridge": self._ridge,
        }
        source = self._encoder.folder
        # A pipeline that is asked to truncate then cuts where training did.
        self._tokenizer.model_max_length = self._max_tokens
        self._tokenizer.backend_tokenizer.no_truncation()
        self._tokenizer.backend_tokenizer.no_padding()
        with new_folder(folder) as unfinished:
            for path in (source / "config.json", *source.glob("model*.safetensors*")):
                link_or_copy(path, unfinished / path.name)
            self._tokenizer.save_pretrained(unfinished)
            tensors = {"weight": head.weight.astype(np.float32), "bias": head.bias.astype(np.float32)}
            save_file(tensors, unfinished / HEAD_WEIGHTS)
            (unfinished / HEAD_FILE).write_text(json.dumps(about, indent=2), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)

    @classmethod
    def load(cls, folder: Path, **settings: Any) -> Self:
        """A learner of a saved folder, whose encoder can be fitted to again; settings are the constructor's.

        Raises RefusedError where ``labels`` are given and are not the folder's.
        """
        about, head = read_head(folder)
        names = tuple(about["labels"])
        settings = {"labels": LabelSet(names), "max_tokens": about["max_tokens"]} | settings
        learner = cls(settings.pop("encoder", None) or folder, **settings)
        if learner.labels.names != names:
            raise RefusedError(
                f"{folder} was trained on the labels {', '.join(names)}", "load it with those, or train again"
            )
        learner._head, learner._ridge = head, about["ridge"]
        return learner

    @classmethod
    def rename(cls, folder: Path, labels: LabelSet) -> None:
        about, _ = read_head(folder)
        write_private(folder / HEAD_FILE, json.dumps(about | {"labels": labels.names}, indent=2))

    def _trained(self) -> Head:
        if self._head is None:
            raise RefusedError("the learner is not trained yet", "train it first: mollia train")
        return self._head


def read_head(folder: Path) -> tuple[dict[str, Any], Head]:
    """(what head.json says, the head) of a folder that ``save`` has written; InputError where one is damaged."""
    try:
        about: dict[str, Any] = json.loads((folder / HEAD_FILE).read_text(encoding="utf-8"))
        tensors = load_file(folder / HEAD_WEIGHTS)
        weight, bias = (tensors[name].astype(np.float64) for name in ("weight", "bias"))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InputError(
            f"the linear classifier in {folder} cannot be loaded: {error}", "train it again: mollia run --run NEW"
        ) from None
    return about, Head(weight, bias)


def _dropout(head: Head, features: Vectors, rng: np.random.Generator) -> FloatArray:
    """[E, n, K] label probabilities of E = 10 times each text's features, which lack some coordinates."""
    kept = 1.0 - _DROPPED
    masks = (rng.random(features.shape) < kept for _ in range(DROPOUT_SAMPLES))
    return np.stack([softmax(head.logits(features * mask / kept)) for mask in masks])


def _perturbed(head: Head, features: Vectors, rng: np.random.Generator) -> FloatArray:
    """[n, 30 K] deviations of the probabilities under noise on the head's weights: see inference.perturbed_outputs."""
    origin = softmax(head.logits(features))
    norms = np.linalg.norm(origin, axis=1, keepdims=True)
    deviations = []
    for _ in range(NOISES):
        noise = rng.normal(size=head.weight.shape)
        moved = head.weight + noise * (NOISE_SCALE * np.linalg.norm(head.weight) / np.linalg.norm(noise))
        deviations.append((softmax(replace(head, weight=moved).logits(features)) - origin) / norms)
    return np.concatenate(deviations, axis=1)
