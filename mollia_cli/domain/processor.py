"""This machine's processor: its name, and the instructions that it says it has."""

import platform
import subprocess
from functools import cache
from pathlib import Path

from mollia_cli.domain.errors import RefusedError

_CPUINFO = Path("/proc/cpuinfo")


@cache
def flags() -> frozenset[str]:
    """Instruction sets by Linux's names ("avx2", "avx512_bf16"); empty where the system does not list them."""
    for key in ("flags", "Features"):  # x86, Arm
        if found := _cpuinfo(key):
            return frozenset(found.split())
    return frozenset()


def check_processor() -> None:
    """RefusedError for an x86 processor without AVX: numpy and torch, as they are published, end the process there."""
    if flags() and "avx" not in flags() and platform.machine() in ("x86_64", "AMD64"):
        raise RefusedError(
            f"this processor ({processor_name()}) has no AVX, which the libraries that mollia computes with need",
            "use a computer with a processor of 2011 or later",
        )


@cache
def processor_name() -> str:
    """What the processor calls itself, as far as the system says."""
    if found := _cpuinfo("model name"):
        return found
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        if found := subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip():
            return found
    return platform.processor() or platform.machine()


def _cpuinfo(key: str) -> str:
    """The first value of a key in Linux's description, or ''; the lines of the other cores are not read."""
    try:
        with _CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            pairs = (line.partition(":") for line in lines)
            return next((value.strip() for name, _, value in pairs if name.strip() == key), "")
    except OSError:
        return ""
