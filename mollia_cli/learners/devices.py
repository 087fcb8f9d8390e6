"""Where and in which precision the learner computes."""

import contextlib
from contextlib import AbstractContextManager

import torch

from mollia_cli.domain.errors import InputError


def choose_device(name: str) -> torch.device:
    """The device called ``name``; "auto" is the first of CUDA, Metal and CPU that is there.

    Raises InputError for one that torch cannot use here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {name!r} cannot be used: {str(error).splitlines()[0]}", 'give the device "cpu"'
        ) from None
    return device


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it natively, float32 otherwise; never float16."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu" and _cpu_has_bfloat16():
        return torch.bfloat16
    return torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Mixed precision with float32 weights; nothing where ``dtype`` is float32."""
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def use_threads(threads: int) -> None:
    """Compute with this many threads; 0 leaves torch's choice."""
    if threads > 0:
        torch.set_num_threads(threads)


def _cpu_has_bfloat16() -> bool:
    # No public query says it: oneDNN's own accepts CPUs that only emulate bfloat16 on x86.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    if any(getattr(torch.cpu, name, bool)() for name in names):
        return True
    return torch.backends.cpu.get_cpu_capability().startswith("SVE") and _onednn_bfloat16()


def _onednn_bfloat16() -> bool:
    query = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", bool)
    return bool(query())
