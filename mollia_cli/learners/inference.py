"""Passes over many texts: probabilities, embeddings, MC dropout, weight noise."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.domain.progress import Progress
from mollia_cli.domain.rng import stream_seed
from mollia_cli.learners.embeddings import Vectors
from mollia_cli.learners.pretrained import last_linear
from mollia_cli.learners.tokens import Encoded, plan_batches

DROPOUT_SAMPLES = 10
NOISES = 30
NOISE_SCALE = 1e-3
_CPU_BUDGET = 2048
_GPU_BUDGET = 65536


def token_budget(device: torch.device) -> int:
    """Padded tokens in one forward pass: enough to fill the cores, few enough to stay in cache."""
    return _CPU_BUDGET if device.type == "cpu" else _GPU_BUDGET


def to_tensors(encoded: Encoded, rows: IntArray, device: torch.device) -> dict[str, Tensor]:
    """The padded batch of some rows, as a model takes it."""
    ids, mask = encoded.padded(rows)
    return {
        "input_ids": torch.from_numpy(ids).to(device, non_blocking=True),
        "attention_mask": torch.from_numpy(mask).to(device, non_blocking=True),
    }


def frozen_copy(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy for inference: weights cast once to ``dtype``, the last linear layer kept in float32.

    bfloat16 logits would tie items that a strategy ranks by their probabilities.
    """
    frozen = copy.deepcopy(model).to(dtype).eval().requires_grad_(False)
    last_linear(frozen).float()
    return frozen


@torch.inference_mode()
def run_all(
    model: nn.Module, encoded: Encoded, device: torch.device, progress: Progress | None = None, step: str = "predict"
) -> tuple[Tensor, Tensor]:
    """(logits [n, K], embeddings [n, d]) in float32, in one pass, rows as in ``encoded``.

    An embedding is the input of the last linear layer, the representation that Sener &
    Savarese's core-set and BADGE are defined on. The model's own train/eval mode is used.
    """
    head = last_linear(model)
    n, done, total = len(encoded), 0, int(encoded.lengths.sum())  # in tokens: the longest texts come first
    if progress is not None and total:
        progress(f"{step} (tokens)", 0, total)
    logits = torch.empty((n, head.out_features))
    embeddings = torch.empty((n, head.in_features))
    captured: list[Tensor] = []

    def widen(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor]:
        captured[:] = [arguments[0].float()]
        return (captured[0],)

    hook = head.register_forward_pre_hook(widen)
    try:
        for rows in plan_batches(encoded.lengths, token_budget(device)):
            logits[rows] = model(**to_tensors(encoded, rows, device)).logits.float().cpu()
            embeddings[rows] = captured[0].cpu()
            done += int(encoded.lengths[rows].sum())
            if progress is not None:
                progress(f"{step} (tokens)", done, total)
    finally:
        hook.remove()
    return logits, embeddings


@torch.inference_mode()
def pooled_layers(body: Any, encoded: Encoded, device: torch.device, progress: Callable[[IntArray], None]) -> Vectors:
    """[n, 1 + L, d] float32: the mean over real tokens of every layer's hidden states, the embeddings' first.

    body: the encoder without its head. progress: hears of the rows that are read.
    """
    shape = (len(encoded), body.config.num_hidden_layers + 1, body.config.hidden_size)
    pooled = np.empty(shape, dtype=np.float32)
    for rows in plan_batches(encoded.lengths, token_budget(device)):
        inputs = to_tensors(encoded, rows, device)
        states = body(**inputs, output_hidden_states=True).hidden_states
        mask = inputs["attention_mask"][..., None]
        for layer, state in enumerate(states):
            pooled[rows, layer] = ((state.float() * mask).sum(1) / mask.sum(1)).cpu().numpy()
        progress(rows)
    return pooled


def dropout_samples(
    frozen: nn.Module, encoded: Encoded, device: torch.device, random_seed: int, progress: Progress | None = None
) -> FloatArray:
    """[E, n, K] label probabilities of E = 10 passes with dropout on (MC dropout)."""
    samples = []
    frozen.train()
    try:
        with torch.random.fork_rng():
            for member in range(DROPOUT_SAMPLES):
                torch.manual_seed(stream_seed(random_seed, "dropout", member))
                logits, _ = run_all(frozen, encoded, device, progress, f"dropout {member + 1}/{DROPOUT_SAMPLES}")
                samples.append(probabilities(logits))
    finally:
        frozen.eval()
    return np.stack(samples)


def perturbed_outputs(
    model: nn.Module, encoded: Encoded, device: torch.device, random_seed: int, progress: Progress | None = None
) -> FloatArray:
    """[n, 30 K] deviations of the outputs under weight noise (Li et al. 2024), in float32.

    For each of 30 noises every weight tensor W gets a Gaussian one of norm 1e-3 |W|; the
    deviation of the softmax is divided by the unperturbed softmax's norm.
    """
    noisy = frozen_copy(model, torch.float32)
    weights = [(own, moved) for (name, own), moved in _pairs(model, noisy) if name.endswith("weight")]
    generator = torch.Generator(device=device).manual_seed(stream_seed(random_seed, "weight noise"))
    origin = probabilities(run_all(noisy, encoded, device)[0])
    norms = np.linalg.norm(origin, axis=1, keepdims=True)
    deviations = []
    for number in range(NOISES):
        with torch.no_grad():
            for own, moved in weights:
                noise = torch.randn(own.shape, generator=generator, device=device)
                moved.copy_(own + noise * (NOISE_SCALE * own.norm() / noise.norm()))
        logits, _ = run_all(noisy, encoded, device, progress, f"weight noise {number + 1}/{NOISES}")
        deviations.append((probabilities(logits) - origin) / norms)
    return np.concatenate(deviations, axis=1)


def probabilities(logits: Tensor) -> FloatArray:
    """Softmax in float64, so that rows sum to 1 and near ties stay apart. [n, K] logits in, [n, K] out."""
    return np.asarray(torch.softmax(logits.double(), dim=-1).numpy(), dtype=np.float64)


def _pairs(model: nn.Module, other: nn.Module) -> list[tuple[tuple[str, Tensor], Tensor]]:
    return list(zip(model.named_parameters(), other.parameters(), strict=True))
