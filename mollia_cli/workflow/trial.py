"""Before a model file is loaded for the first time: see that it does no harm."""

from pathlib import Path

from mollia_cli import models
from mollia_cli.annotators.gguf.annotator import engine_build
from mollia_cli.annotators.gguf.header import read_header
from mollia_cli.annotators.gguf.trial import try_file
from mollia_cli.domain.progress import Progress, silent


def try_once(file: models.ModelFile) -> None:
    """Try a file in a process of its own, unless one with its digest was tried before with this engine.

    Raises RefusedError for a file that crashes the engine, or that it refuses.
    """
    engine = engine_build()
    if not models.has_passed(file.sha256, engine):
        try_file(file.path)
        models.note_passed(file.sha256, engine)


def add_model(path: Path, name: str | None = None, progress: Progress = silent) -> models.Installed:
    """``models.add``, for a file whose header is sound and that is as long as it says; RefusedError for another."""
    place = path.expanduser()
    if place.is_file() and models.is_gguf(place):
        read_header(place).check_whole()
    return models.add(path, name, progress)
