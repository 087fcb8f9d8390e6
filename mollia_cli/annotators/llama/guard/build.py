"""Which llama.cpp this is, for which processor it was compiled, and what it finds on this one.

Other kernels round differently, so all of it is part of an observation's identity. Nothing here loads llama.cpp into
this process: a library that was compiled for another processor would end it.
"""

import ctypes
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from mollia_cli.annotators.llama.guard.child import ChildError, answer, call
from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.errors import MolliaError, RefusedError
from mollia_cli.domain.processor import flags, processor_name

PACKAGE = "llama-cpp-python"
ILLEGAL = "SIGILL"  # how a process ends that meets an instruction which its processor does not have
_SECONDS = 120.0
_IN_WHEEL = "llama_cpp/lib/"
# what llama.cpp calls them -> what Linux calls them
_FLAGS = {
    "AVX": "avx",
    "AVX2": "avx2",
    "F16C": "f16c",
    "FMA": "fma",
    "BMI2": "bmi2",
    "AVX_VNNI": "avx_vnni",
    "AVX512": "avx512f",
    "AVX512_VBMI": "avx512vbmi",
    "AVX512_VNNI": "avx512_vnni",
    "AVX512_BF16": "avx512_bf16",
    "AMX_INT8": "amx_int8",
}


@dataclass(frozen=True, slots=True)
class Kernels:
    """What computes a model file here.

    ``system``: what llama.cpp says of its build and the processor; ``extra_buffers``: whether weights are laid out
    anew for the quickest matrix kernels. Without them every processor computes the same file more slowly.
    """

    system: str = ""
    extra_buffers: bool = True


@cache
def engine_build() -> str:
    """The llama-cpp-python version and its compiled backends, found without importing it."""
    backends = sorted(file.name.split(".")[0] for file in _libraries() if "ggml-" in file.name)
    return " ".join([f"{PACKAGE} {version(PACKAGE)}", *dict.fromkeys(backends)])


@cache
def engine_stamp() -> str:
    """Changes with the installed library and with the processor: what is known of the two together is kept by it."""
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in _libraries()]
    return digest_of([engine_build(), stats, processor_name(), sorted(flags())])[:32]


def ask_system() -> str:
    """What llama.cpp says of its build and of this processor, asked in a process of its own.

    Raises RefusedError for a build that this processor cannot run, and MolliaError for one that cannot be loaded.
    """
    try:
        found = call(__name__, {}, _SECONDS)
    except ChildError as error:
        if error.signal == ILLEGAL:
            raise wrong_processor() from None
        raise MolliaError(f"llama.cpp cannot be loaded: {error}", f"install it again: {rebuild()}") from None
    return str(found["system"])


def wrong_processor() -> RefusedError:
    """The error of a build whose instructions this processor does not have."""
    return RefusedError(
        f"llama.cpp was compiled for another processor than this one ({processor_name()}): it was ended by an"
        " instruction that is unknown here",
        f"compile it here: {rebuild()}, or get a bundle with portable wheels (docs/processors.md)",
    )


def rebuild() -> str:
    """The command that compiles llama.cpp for this processor, without the AMX kernels that crash (llama.cpp #20824)."""
    flag = "-mno-amx-int8"
    without = f'CMAKE_ARGS="-DCMAKE_C_FLAGS={flag} -DCMAKE_CXX_FLAGS={flag}" ' if "amx_int8" in flags() else ""
    python = shlex.quote(sys.executable)
    options = "--force-reinstall --no-deps --no-cache-dir --no-binary :all:"
    return f'{without}{python} -m pip install {options} "{PACKAGE}=={version(PACKAGE)}"'


def wheel_needs(wheel: Path) -> tuple[str, ...]:
    """Processor flags, by Linux's names, without which a llama-cpp-python wheel for x86 does not run.

    AVX2 alone for a portable wheel, because of numpy. What a wheel that was compiled for one processor
    needs is asked of its library, in a process of its own: () for one that does not run here, or is for no x86.
    """
    with TemporaryDirectory() as scratch, ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(_IN_WHEEL)]
        if any("ggml-cpu-" in name for name in names):
            return ("avx2",)
        archive.extractall(scratch, names)
        with suppress(ChildError, MolliaError):
            system = str(call(__name__, {"library": str(Path(scratch, _IN_WHEEL))}, _SECONDS)["system"])
            return tuple(flag for name, flag in _FLAGS.items() if f" {name} = 1 " in system)
    return ()


def _libraries() -> list[Path]:
    spec = find_spec("llama_cpp")
    folders = [Path(place) / "lib" for place in (spec.submodule_search_locations or [])] if spec else []
    return sorted(file for folder in folders for file in folder.glob("*") if file.is_file())


def _work(request: dict[str, Any]) -> dict[str, Any]:
    if "library" in request:
        api: Any = ctypes.CDLL(str(Path(request["library"], "libllama.so")))
        api.llama_print_system_info.restype = ctypes.c_char_p
    else:
        from mollia_cli.annotators.llama.binding.llama import lib

        api = lib()
    return {"system": " ".join(api.llama_print_system_info().decode().split())}


if __name__ == "__main__":
    answer(_work)
