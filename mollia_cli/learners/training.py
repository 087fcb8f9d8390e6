"""Fine-tuning with the robust loss, early stopping and the best epoch's weights."""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from mollia_cli.domain.metrics import micro_f1
from mollia_cli.domain.observations import IntArray
from mollia_cli.domain.progress import Progress
from mollia_cli.domain.rng import stream, stream_seed
from mollia_cli.learners.base import Examples, FitReport
from mollia_cli.learners.devices import autocast
from mollia_cli.learners.inference import run_all, to_tensors, token_budget
from mollia_cli.learners.losses import robust_loss
from mollia_cli.learners.tokens import Encoded, plan_batches
from mollia_cli.learners.vocabulary import UsedRows

_WEIGHT_DECAY = 0.01
_SMALLEST_BATCH = 4


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train; batch_size counts examples, patience epochs.

    An epoch has at least ``steps`` optimiser steps: batches are smaller where there are few
    examples. With the paper's plain batches of 50 (``steps`` 1), 50 examples make one step an
    epoch, and 40 epochs of it leave an encoder half trained.
    """

    learning_rate: float
    batch_size: int
    epochs: int
    patience: int
    steps: int = 1

    def batch_for(self, examples: int) -> int:
        """Examples in one optimiser step, for a training set of so many."""
        return max(1, min(self.batch_size, max(_SMALLEST_BATCH, examples // self.steps)))


@dataclass(frozen=True, slots=True)
class Part:
    """Encoded examples with their targets, weights and negatives as tensors on the device.

    targets: [n] indices, or [n, K] distributions where the examples have soft targets.
    """

    encoded: Encoded
    targets: Tensor
    weights: Tensor
    negatives: Tensor

    @staticmethod
    def of(examples: Examples, encoded: Encoded, device: torch.device) -> "Part":
        """The examples on a device."""
        hard = torch.as_tensor(examples.targets, dtype=torch.int64)
        targets = hard if examples.soft is None else torch.as_tensor(examples.soft, dtype=torch.float32)
        return Part(
            encoded,
            targets.to(device),
            torch.as_tensor(examples.weights, dtype=torch.float32).to(device),
            torch.as_tensor(examples.negatives, dtype=torch.bool).to(device),
        )


class Trainer:
    """One fit of one model (Eq. 9), from its present weights."""

    def __init__(
        self, model: nn.Module, schedule: Schedule, negative_weight: float, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._model = model
        self._schedule = schedule
        self._negative_weight = negative_weight
        self._device = device
        self._dtype = dtype
        self._optimizer: AdamW

    def fit(self, train: Part, validation: Part, random_seed: int, progress: Progress | None = None) -> FitReport:
        """Train until ``patience`` epochs brought nothing better; the best epoch's weights stay in the model.

        Better is a lower validation loss (Eq. 9): it still ranks epochs where the F1 of a few
        examples stands still. Without validation examples every epoch runs and the last is kept.
        """
        started = time.perf_counter()
        ids = np.union1d(train.encoded.distinct(), validation.encoded.distinct())
        embedding = UsedRows.install(self._model, torch.from_numpy(ids).to(self._device))
        self._optimizer = AdamW(
            self._model.parameters(), self._schedule.learning_rate, weight_decay=_WEIGHT_DECAY, fused=True
        )
        with torch.random.fork_rng():
            torch.manual_seed(stream_seed(random_seed, "dropout in training"))
            history, best_epoch = self._epochs(train, validation, random_seed, progress)
        steps = best_epoch * math.ceil(len(train.encoded) / self._schedule.batch_for(len(train.encoded)))
        embedding.remove(self._model, (1.0 - self._schedule.learning_rate * _WEIGHT_DECAY) ** steps)
        self._model.eval()
        stopped = len(history) < self._schedule.epochs
        return FitReport(len(history), best_epoch, stopped, time.perf_counter() - started, history)

    def _epochs(
        self, train: Part, validation: Part, random_seed: int, progress: Progress | None
    ) -> tuple[list[dict[str, float]], int]:
        """(history, best epoch); the best epoch's weights are put back."""
        history: list[dict[str, float]] = []
        best, best_epoch, kept = math.inf, 0, _Snapshot(self._model)
        if progress is not None:
            progress("train", 0, self._schedule.epochs)
        for epoch in range(1, self._schedule.epochs + 1):
            record = {"loss": self._epoch(train, stream(random_seed, "order", epoch))}
            if len(validation.encoded):
                record |= self.evaluate(validation)
            history.append(record)
            if not len(validation.encoded):
                best_epoch = epoch
            elif record["validation_loss"] < best:
                best, best_epoch = record["validation_loss"], epoch
                kept.take()
            finished = epoch - best_epoch >= self._schedule.patience or epoch == self._schedule.epochs
            if progress is not None:
                progress("train", self._schedule.epochs if finished else epoch, self._schedule.epochs)
            if finished:
                break
        kept.restore()
        return history, best_epoch

    def _epoch(self, train: Part, rng: np.random.Generator) -> float:
        """One pass over the examples in random order; the mean loss."""
        self._model.train()
        order, total = rng.permutation(len(train.encoded)), 0.0
        size = self._schedule.batch_for(len(order))
        for start in range(0, len(order), size):
            total += self._step(train, order[start : start + size])
        return total / len(order)

    def _step(self, train: Part, rows: IntArray) -> float:
        """One optimiser step on the mean loss of these rows; their summed loss."""
        total = 0.0
        # One context for the whole step: each weight is cast to bfloat16 once, not once a part.
        with autocast(self._device, self._dtype):
            for within in plan_batches(train.encoded.lengths[rows], token_budget(self._device)):
                part = rows[within]
                logits = self._model(**to_tensors(train.encoded, part, self._device)).logits
                loss = self._losses(logits, train, part).sum()
                torch.autograd.backward(loss / len(rows))
                total += float(loss.detach())
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return total

    def _losses(self, logits: Tensor, part: Part, rows: IntArray | None = None) -> Tensor:
        index = slice(None) if rows is None else torch.from_numpy(rows).to(self._device)
        with torch.autocast(self._device.type, enabled=False):
            return robust_loss(
                logits, part.targets[index], part.weights[index], part.negatives[index], self._negative_weight
            )

    def evaluate(self, validation: Part) -> dict[str, float]:
        """The validation examples' mean loss and micro-F1."""
        self._model.eval()
        with autocast(self._device, self._dtype):
            logits, _ = run_all(self._model, validation.encoded, self._device)
        loss = float(self._losses(logits.to(self._device), validation).mean())
        targets = validation.targets if validation.targets.ndim == 1 else validation.targets.argmax(dim=1)
        found = micro_f1(targets.cpu().numpy(), logits.argmax(dim=-1).numpy())
        return {"validation_loss": loss, "validation_micro_f1": found}


class _Snapshot:
    """A copy of a model's weights that can be put back."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._state: dict[str, Tensor] = {}

    def take(self) -> None:
        """Keep a copy of the present weights."""
        with torch.no_grad():
            for name, value in self._model.state_dict().items():
                if name in self._state:
                    self._state[name].copy_(value)
                else:
                    self._state[name] = value.clone()

    def restore(self) -> None:
        """Put the kept weights back, if there are any."""
        if self._state:
            self._model.load_state_dict(self._state)
