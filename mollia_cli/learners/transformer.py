"""A pretrained encoder with a linear head, fine-tuned from its pretrained weights at every fit."""

import json
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from torch import nn

from mollia_cli.domain.digest import digest_file, digest_of
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.files import new_folder, write_private
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.progress import Progress, silent
from mollia_cli.learners.base import (
    DROPOUT,
    EMBEDDINGS,
    PERTURBED,
    PROBABILITIES,
    SIGNALS,
    Examples,
    FitReport,
    Learner,
    SignalArray,
    in_parts,
)
from mollia_cli.learners.devices import choose_device, fast_dtype, use_threads
from mollia_cli.learners.embeddings import AT_ONCE, EmbeddingStore, Keeps, Read, Vectors
from mollia_cli.learners.inference import (
    dropout_samples,
    frozen_copy,
    perturbed_outputs,
    probabilities,
    run_all,
)
from mollia_cli.learners.pretrained import label_names, load_pretrained, load_tokenizer, load_trained, most_tokens
from mollia_cli.learners.tokens import TokenStore
from mollia_cli.learners.training import Part, Schedule, Trainer


class TransformerLearner(Learner):
    """Any encoder that ``AutoModelForSequenceClassification`` loads from a local folder.

    encoder: the folder of the pretrained weights. max_tokens: texts are cut there. batch_size:
    examples in one optimiser step, fewer where ``steps`` an epoch need it. threads: 0 is torch's
    own choice. device: "auto", "cpu", "cuda", ... token_file: side file that keeps token ids between
    runs. embeddings: folder that keeps what a saved classifier makes of texts; keeps: of which (None: all).
    Defaults are the paper's settings.
    """

    name: ClassVar[str] = "transformer"

    def __init__(
        self,
        encoder: Path,
        labels: LabelSet,
        *,
        max_tokens: int = 128,
        learning_rate: float = 5e-5,
        batch_size: int = 50,
        epochs: int = 40,
        patience: int = 10,
        steps: int = 1,
        threads: int = 0,
        device: str = "auto",
        token_file: Path | None = None,
        embeddings: Path | None = None,
        keeps: Keeps | None = None,
    ) -> None:
        for setting, value in (
            ("max_tokens", max_tokens),
            ("batch_size", batch_size),
            ("epochs", epochs),
            ("steps", steps),
        ):
            if value < 1:
                raise InputError(f"{setting} is {value}", "give a whole number of 1 or more")
        if patience < 1 or learning_rate <= 0:
            raise InputError(f"patience is {patience}, learning_rate {learning_rate}", "both must be above 0")
        self._encoder: Path | None = encoder
        self.labels = labels
        self._schedule = Schedule(learning_rate, batch_size, epochs, patience, steps)
        self._threads = threads
        self._device = choose_device(device)
        self._dtype = fast_dtype(self._device)
        self._max_tokens = max_tokens
        self._tokenizer = load_tokenizer(encoder)
        self._tokens = TokenStore(self._tokenizer, max_tokens, token_file)
        self._embeddings = embeddings
        self._keeps = keeps
        self._saved: Path | None = None  # the folder that it was loaded from
        self._model: nn.Module | None = None
        self._frozen: nn.Module | None = None

    def fit(
        self,
        examples: Examples,
        validation: Examples,
        negative_weight: float,
        random_seed: int,
        progress: Progress | None = None,
    ) -> FitReport:
        """Train on ``examples`` from the pretrained weights and a head drawn from ``random_seed``.

        Raises InputError without examples. See Trainer.fit for early stopping.
        """
        if self._encoder is None:
            raise RefusedError("this learner was loaded to predict", "load it with encoder=FOLDER to train it again")
        if not examples.texts:
            raise InputError("there is nothing to train on", "label or annotate some items first: mollia annotate")
        use_threads(self._threads)
        model = load_pretrained(self._encoder, self.labels.names, random_seed, self._device)
        self._check_length(model)
        train, held_out = (
            Part.of(part, self._tokens.encode(part.texts), self._device) for part in (examples, validation)
        )
        trainer = Trainer(model, self._schedule, negative_weight, self._device, self._dtype)
        report = trainer.fit(train, held_out, random_seed, progress)
        self._model, self._frozen, self._saved = model, None, None
        return report

    def signals(
        self, texts: Sequence[str], needs: frozenset[str], random_seed: int, progress: Progress | None = None
    ) -> dict[str, SignalArray]:
        """The signals asked for, rows as in ``texts``.

        probabilities [n, K] and embeddings [n, d] (input of the last linear layer) share one pass, and of a saved
        classifier each is kept; dropout [10, n, K]; perturbed [n, 30 K]. Raises RefusedError before ``fit`` or
        ``load``.
        """
        unknown = needs - SIGNALS
        if unknown:
            raise InputError(f"no signal is called {min(unknown)!r}", f"known: {', '.join(sorted(SIGNALS))}")
        model = self._trained()
        use_threads(self._threads)
        if self._frozen is None:
            self._frozen = frozen_copy(model, self._dtype)
        if self._saved and self._embeddings and not needs & {DROPOUT, PERTURBED}:
            return self._kept(self._frozen, self._embeddings / self._identity, texts, needs, progress or silent)
        encoded = self._tokens.encode(texts)
        found: dict[str, SignalArray] = {}
        if needs & {PROBABILITIES, EMBEDDINGS}:
            logits, embeddings = run_all(self._frozen, encoded, self._device, progress)
            both = {PROBABILITIES: probabilities(logits), EMBEDDINGS: embeddings.numpy()}
            found |= {name: both[name] for name in needs & both.keys()}
        if DROPOUT in needs:
            found[DROPOUT] = dropout_samples(self._frozen, encoded, self._device, random_seed, progress)
        if PERTURBED in needs:
            found[PERTURBED] = perturbed_outputs(model, encoded, self._device, random_seed, progress)
        return found

    def _kept(
        self, model: nn.Module, folder: Path, texts: Sequence[str], needs: frozenset[str], progress: Progress
    ) -> dict[str, SignalArray]:
        """Probabilities and embeddings (in half precision), one pass over the texts of which they are not kept yet."""
        known = EmbeddingStore(folder / PROBABILITIES, self._keeps, "float64")
        states = EmbeddingStore(folder / EMBEDDINGS, self._keeps)
        stores = {EMBEDDINGS: states, PROBABILITIES: known}
        new = list(dict.fromkeys(text for name in needs for text in stores[name].missing(texts)))
        done, total = 0, sum(map(len, new))
        self._tokens.encode(new)  # together, so that the side file is written once

        def outputs(part: Sequence[str]) -> tuple[FloatArray, Vectors]:
            nonlocal done
            size = sum(map(len, part))

            def heard(_: str, read: int, tokens: int) -> None:
                progress("predict (characters)", done + size * read // tokens, total)

            logits, embeddings = run_all(model, self._tokens.encode(part), self._device, heard)
            done += size
            return probabilities(logits), embeddings.numpy()

        def read_states(part: Sequence[str]) -> Vectors:
            found, embeddings = outputs(part)
            if PROBABILITIES in needs:
                row = dict(zip(part, found, strict=True))
                known.get(part, lambda missing: np.stack([row[text] for text in missing]))
            return embeddings

        read: dict[str, Read] = {EMBEDDINGS: read_states, PROBABILITIES: lambda part: outputs(part)[0]}
        found: dict[str, SignalArray] = {}
        for name in sorted(needs):  # embeddings first, which bring the probabilities
            parts = stores[name].parts(texts, read[name], AT_ONCE)
            found |= in_parts(({name: part} for part in parts), len(texts), folder)
        return found

    @cached_property
    def _identity(self) -> str:
        """What its outputs depend on; it takes a second of reading the weights."""
        assert self._saved is not None
        weights = [digest_file(path) for path in sorted(self._saved.glob("*.safetensors"))]
        return digest_of([weights, self._tokens.identity, str(self._dtype)])[:32]

    def longer(self, texts: Sequence[str]) -> int:
        """How many of the texts are cut."""
        return self._tokens.longer(texts)

    def save(self, folder: Path) -> None:
        """Write config.json, model.safetensors and the tokenizer; the folder appears whole or not at all."""
        model: Any = self._trained()
        # A pipeline that is asked to truncate then cuts where training did.
        self._tokenizer.model_max_length = self._max_tokens
        # How it was called last is saved too, and after a stop, when all tokens are known, it was not called.
        self._tokenizer.backend_tokenizer.no_truncation()
        self._tokenizer.backend_tokenizer.no_padding()
        with new_folder(folder) as unfinished:
            model.save_pretrained(unfinished, safe_serialization=True)
            self._tokenizer.save_pretrained(unfinished)
            shutil.rmtree(folder, ignore_errors=True)

    @classmethod
    def load(cls, folder: Path, **settings: Any) -> Self:
        """A learner that predicts with a saved folder; settings are the constructor's.

        Without ``encoder`` it cannot ``fit``: the pretrained weights are not in the folder. Raises
        RefusedError where ``labels`` are given and are not the folder's.
        """
        device = choose_device(settings.get("device", "auto"))
        model, names = load_trained(folder, device)
        settings.setdefault("max_tokens", min(load_tokenizer(folder).model_max_length, most_tokens(model)))
        encoder = settings.pop("encoder", None)
        learner = cls(encoder or folder, **{"labels": LabelSet(names)} | settings)
        learner._encoder = encoder
        if learner.labels.names != names:
            raise RefusedError(
                f"{folder} was trained on the labels {', '.join(names)}", "load it with those, or train again"
            )
        learner._check_length(model)
        learner._model, learner._saved = model, folder
        return learner

    @classmethod
    def rename(cls, folder: Path, labels: LabelSet) -> None:
        path = folder / "config.json"
        config = json.loads(path.read_text(encoding="utf-8")) | label_names(labels.names)
        write_private(path, json.dumps(config, indent=2))

    def _check_length(self, model: nn.Module) -> None:
        if self._max_tokens > most_tokens(model):
            raise InputError(
                f"max_tokens is {self._max_tokens}, but the encoder takes {most_tokens(model)} at most",
                f"set max_tokens to {most_tokens(model)} or less",
            )

    def _trained(self) -> nn.Module:
        if self._model is None:
            raise RefusedError("the learner is not trained yet", "train it first: mollia train")
        return self._model
