"""Encoders from local folders: safetensors only, never a hub, never code from the folder."""

import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.network import LIBRARIES
from mollia_cli.domain.rng import stream_seed

# Read once by huggingface_hub at import: texts and models never leave the machine, whatever program imports this.
os.environ.update(LIBRARIES | os.environ)

import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

_CPU = torch.device("cpu")
_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def check_folder(folder: Path) -> Path:
    """``folder`` if an encoder can be loaded from it; NotFoundError or RefusedError otherwise."""
    if not (folder / "config.json").is_file():
        raise NotFoundError(
            f"{folder} is no encoder: it has no config.json",
            "give the folder of a Hugging Face model, or a name from: mollia models list",
        )
    if not any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json")):
        raise RefusedError(
            f"{folder} has no model.safetensors; other weight files may hold pickled code and are not opened",
            "convert it on a machine you trust: model.save_pretrained(FOLDER, safe_serialization=True)",
        )
    return folder


def load_tokenizer(folder: Path) -> Any:
    """The folder's fast tokenizer. Raises InputError where there is none, or not a fast one."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(check_folder(folder), use_fast=True, **_LOCAL)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"the tokenizer in {folder} cannot be loaded: {error}", "copy its tokenizer.json there"
        ) from None
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        raise InputError(f"the tokenizer in {folder} has no tokenizer.json or no padding token", "use another encoder")
    return tokenizer


def load_pretrained(folder: Path, names: tuple[str, ...], random_seed: int, device: torch.device = _CPU) -> nn.Module:
    """A float32 sequence classifier: the folder's pretrained body, a new head drawn from ``random_seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(random_seed, "missing weights"))
        model: nn.Module = _from_folder(folder, names, device, ignore_mismatched_sizes=True)
    _draw_head(model, random_seed)
    return model.to(device)


def load_trained(folder: Path, device: torch.device = _CPU) -> tuple[nn.Module, tuple[str, ...]]:
    """A saved classifier with its head, and its label names in order."""
    model = _from_folder(folder, None, device)
    names = model.config.id2label
    return model.to(device).eval(), tuple(str(names[k]) for k in range(len(names)))


def label_names(names: tuple[str, ...]) -> dict[str, dict[Any, Any]]:
    """How a classifier's configuration says what its outputs are."""
    return {"id2label": dict(enumerate(names)), "label2id": {name: k for k, name in enumerate(names)}}


def last_linear(model: nn.Module) -> nn.Linear:
    """The layer whose output is the logits; its input is the item's embedding."""
    linears = [module for child in _head(model) for module in child.modules() if isinstance(module, nn.Linear)]
    return linears[-1]


def most_tokens(model: nn.Module) -> int:
    """The longest input, special tokens included, that the position embeddings allow."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and MPNet count positions from the padding index + 1.
            first = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - first
    return int(getattr(model.config, "max_position_embeddings", 512))


def _from_folder(folder: Path, names: tuple[str, ...] | None, device: torch.device, **options: Any) -> Any:
    if names is not None:
        options |= label_names(names)
    # On a CPU torch's fused attention is the slower one for texts of this length, most of all with dropout.
    options["attn_implementation"] = "eager" if device.type == "cpu" else None
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            check_folder(folder), use_safetensors=True, dtype=torch.float32, **options, **_LOCAL
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"the encoder in {folder} cannot be loaded as a text classifier: {str(error).strip().splitlines()[0]}",
            "use an encoder such as DistilBERT, DistilRoBERTa, BERT, MiniLM or MPNet",
        ) from None
    if not _head(model) or model.config.problem_type not in (None, "single_label_classification"):
        raise InputError(f"the encoder in {folder} is no single-label text classifier", "use another encoder")
    model.config.problem_type = "single_label_classification"
    return model


def _head(model: Any) -> list[nn.Module]:
    """The parts that are not the pretrained body and hold a linear layer."""
    return [
        child
        for name, child in model.named_children()
        if name != model.base_model_prefix and any(isinstance(module, nn.Linear) for module in child.modules())
    ]


def _draw_head(model: Any, random_seed: int) -> None:
    # Always drawn, also where the folder holds a head: its labels are another project's.
    generator = torch.Generator().manual_seed(stream_seed(random_seed, "head"))
    spread = float(getattr(model.config, "initializer_range", 0.02))
    for child in _head(model):
        for module in child.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=spread, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
