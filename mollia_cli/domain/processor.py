"""This machine's processor: its name, and the instructions that it says it has."""

import os
import platform
import subprocess
import time
from functools import cache
from pathlib import Path

from mollia_cli.domain.errors import RefusedError

_CPUINFO, _STAT = Path("/proc/cpuinfo"), Path("/proc/stat")


@cache
def flags() -> frozenset[str]:
    """Instruction sets by Linux's names ("avx2", "avx512_bf16"); empty where the system does not list them."""
    for key in ("flags", "Features"):  # x86, Arm
        if found := _cpuinfo(key):
            return frozenset(found.split())
    return frozenset()


def check_processor() -> None:
    """RefusedError for an x86 processor without AVX2: numpy, as it is published, ends the process there."""
    if flags() and "avx2" not in flags() and platform.machine() in ("x86_64", "AMD64"):
        raise RefusedError(
            f"this processor ({processor_name()}) has no AVX2, which the libraries that mollia computes with need",
            "use a computer with a processor of 2015 or later",
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


class Others:
    """How many cores other programs keep busy, from when this is made on; 0 where the system does not say."""

    def __init__(self) -> None:
        self._wall, self._busy, self._own = time.monotonic(), _busy_seconds(), _own_seconds()

    def cores(self) -> float:
        """Cores, on average since then."""
        wall = max(time.monotonic() - self._wall, 1e-9)
        return max(0.0, (_busy_seconds() - self._busy - _own_seconds() + self._own) / wall)


def _own_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _busy_seconds() -> float:
    """Processor seconds of all programs since the system started."""
    try:
        user, nice, system = map(int, _STAT.read_text(encoding="utf-8").split()[1:4])
        return (user + nice + system) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return 0.0


def _cpuinfo(key: str) -> str:
    """The first value of a key in Linux's description, or ''; the lines of the other cores are not read."""
    try:
        with _CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            pairs = (line.partition(":") for line in lines)
            return next((value.strip() for name, _, value in pairs if name.strip() == key), "")
    except OSError:
        return ""
