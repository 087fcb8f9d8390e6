"""How the threads of numerical libraries wait for each other: they spin briefly, then block.

By default OpenMP's threads spin for milliseconds and OpenBLAS's longer, which takes the processor away from the very
threads that they wait for as soon as anything else runs: training beside two busy processes had a fifth of its idle
speed instead of half of it (benchmarks/busy.py). Blocking at once costs a wake-up at every step of an idle machine.
"""

import os
from collections.abc import MutableMapping

_POLICY = "OMP_WAIT_POLICY"
# Read when the libraries are loaded: by the OpenMP of GNU (turns), of LLVM (milliseconds), by OpenBLAS (2^n cycles).
_SPIN = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0", "OPENBLAS_THREAD_TIMEOUT": "10"}
# numpy's products are small here (fits of some hundred rows, thousands of times): threads that wake up for each cost
# several times what they save. torch and llama.cpp have threads of their own.
_ALONE = ("OPENBLAS_NUM_THREADS", "1")


def wait_politely(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set this for libraries that are loaded from now on, here and in child processes; what is set already stays."""
    environment.setdefault(*_ALONE)
    if _POLICY not in environment:
        for name, value in _SPIN.items():
            environment.setdefault(name, value)
