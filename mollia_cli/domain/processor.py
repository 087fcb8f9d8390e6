"""This machine's processor: its name, and the instructions that it says it has."""

import platform
import subprocess
from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


@cache
def flags() -> frozenset[str]:
    """Instruction sets by Linux's names ("avx2", "avx512_bf16"); empty where the system does not list them."""
    for key in ("flags", "Features"):  # x86, Arm
        if found := _cpuinfo(key):
            return frozenset(found.split())
    return frozenset()


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
    """The first value of a key in Linux's description, or ''."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")
