"""Weight formats: write a model's values in another one.

F32, F16 and BF16 keep the values of a quantised file (F32 exactly; F16 and BF16 to their rounding);
the others are coarser.
"""

import ctypes
from pathlib import Path

from mollia_cli.annotators.llama.binding.header import read_header
from mollia_cli.annotators.llama.binding.llama import lib
from mollia_cli.domain.errors import InputError, MolliaError
from mollia_cli.domain.files import new_file

# name -> llama_ftype
_FILE_TYPES = {"F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q4_0": 2, "Q4_1": 3}
COMPETING = ("BF16", "F16")  # keep the values; F32 does too, but twice the bytes were never faster
COARSER = ("Q8_0", "Q4_0")
_BYTES = {"F32": 4.0, "F16": 2.0, "BF16": 2.0, "Q8_0": 34 / 32, "Q4_0": 18 / 32, "Q4_1": 20 / 32}


def reencode(source: Path, target: Path, name: str, *, threads: int = 0, layers: int = 0) -> None:
    """Write ``source`` with all matrices in the named format ("" for as they are); ``target`` appears only when whole.

    ``layers``: keep only the first so many, to measure speed. Raises InputError for an unknown format
    and MolliaError where llama.cpp fails (disk full, unknown source type).
    """
    if name and name not in _FILE_TYPES:
        raise InputError(f"no weight format is called {name!r}", f"known: {', '.join(_FILE_TYPES)}")
    api = lib()
    params = api.llama_model_quantize_default_params()
    params.ftype = _FILE_TYPES.get(name, 0)
    params.only_copy = not name
    params.allow_requantize = True
    params.pure = True
    params.nthread = threads
    dropped = range(layers, read_header(source).setting("block_count")) if layers else range(0)
    prune = (ctypes.c_int32 * (len(dropped) + 1))(*dropped, -1)
    if len(dropped):
        params.prune_layers = ctypes.cast(prune, ctypes.POINTER(ctypes.c_int32))
    with new_file(target) as unfinished:
        status = api.llama_model_quantize(str(source).encode(), str(unfinished).encode(), ctypes.byref(params))
        if status != 0:
            raise MolliaError(f"llama.cpp cannot write {source.name} as {name}", "see the log file; is the disk full?")


def size_as(elements: int, name: str) -> int:
    """Bytes of so many weights in a format."""
    return int(elements * _BYTES[name])
