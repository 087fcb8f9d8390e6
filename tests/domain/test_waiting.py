"""Threads that wait block soon, unless the host has said otherwise."""

import os
import subprocess
import sys

import pytest

from mollia_cli.domain.waiting import wait_politely


def test_what_the_host_has_set_stays() -> None:
    chosen: dict[str, str] = {"GOMP_SPINCOUNT": "7"}
    wait_politely(chosen)
    assert chosen["GOMP_SPINCOUNT"] == "7" and {"KMP_BLOCKTIME", "OPENBLAS_THREAD_TIMEOUT"} < set(chosen)
    active = {"OMP_WAIT_POLICY": "active"}
    wait_politely(active)
    assert active == {"OMP_WAIT_POLICY": "active", "OPENBLAS_NUM_THREADS": "1"}
    many = {"OPENBLAS_NUM_THREADS": "8"}
    wait_politely(many)
    assert many["OPENBLAS_NUM_THREADS"] == "8"


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP")
def test_the_threads_of_torch_and_llama_cpp_are_told_in_time() -> None:
    """OpenMP itself prints its settings when it is loaded: they are ours, in every copy of it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    code = "import mollia_cli, torch; from mollia_cli.annotators.llama.binding.llama import lib; lib()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"OMP_DISPLAY_ENV": "VERBOSE"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.count("GOMP_SPINCOUNT = '1000'") == done.stderr.count("OPENMP DISPLAY ENVIRONMENT BEGIN") >= 1
