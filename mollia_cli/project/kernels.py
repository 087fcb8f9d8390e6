"""Before a model file is loaded for the first time: see that it does no harm, and what computes it here."""

from collections.abc import Callable
from pathlib import Path

from mollia_cli import models
from mollia_cli.annotators.llama.binding.header import read_header
from mollia_cli.annotators.llama.guard.build import Kernels, ask_system, engine_stamp, rebuild
from mollia_cli.annotators.llama.guard.load_check import check_load
from mollia_cli.domain.processor import processor_name
from mollia_cli.domain.progress import Progress, silent

Say = Callable[[str], None]
_SYSTEM = "system"


def file_kernels(file: models.ModelFile, say: Say = lambda remark: None) -> Kernels:
    """What computes a file on this processor, found by the load check once per file, build and processor.

    Raises RefusedError for a file that crashes the engine or that it refuses, and for an engine that does not run here.
    """
    known = models.engine_facts(engine_stamp())
    system = engine_system()
    if file.sha256 in known:
        return Kernels(system, bool(known[file.sha256]))
    kernels = Kernels(system, check_load(file.path))
    if not kernels.extra_buffers:
        say(
            f"{file.name}: llama.cpp's quickest kernels do not work on this processor ({processor_name()}), so its"
            f" plain ones are used; for full speed compile it anew: {rebuild()}"
        )
    models.store_engine_facts(engine_stamp(), {file.sha256: kernels.extra_buffers})
    return kernels


def engine_system() -> str:
    """What llama.cpp says of its build and this processor; asked once per build and processor."""
    known = models.engine_facts(engine_stamp())
    if _SYSTEM not in known:
        known = {_SYSTEM: ask_system()}
        models.store_engine_facts(engine_stamp(), known)
    return str(known[_SYSTEM])


def add_model(path: Path, name: str | None = None, progress: Progress = silent) -> models.Installed:
    """``models.add``, for a file whose header is sound and that is as long as it says; RefusedError for another."""
    place = path.expanduser()
    if place.is_file() and models.is_gguf(place):
        read_header(place).check_whole()
    return models.add(path, name, progress)
