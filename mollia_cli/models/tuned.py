"""Tuned copies: another encoding of an installed LLM, installed as a model of its own beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mollia_cli.domain.progress import Progress, silent
from mollia_cli.models import catalogue
from mollia_cli.models.catalogue import LLM
from mollia_cli.models.digests import digest
from mollia_cli.models.home import partial_folder
from mollia_cli.models.installed import Installed, ModelFile, install, installed


def tuned_copies(model: ModelFile) -> list[Installed]:
    """The installed copies that were made from this very file."""
    return [copy for copy in installed().values() if copy.original == model.sha256]


@contextmanager
def tuning_folder() -> Iterator[Path]:
    """A folder on the models' own disk; what is not installed from it is gone afterwards."""
    with partial_folder() as scratch:
        folder = scratch / "files"
        folder.mkdir(mode=0o700)
        yield folder


def install_tuned(path: Path, encoding: str, model: ModelFile, progress: Progress = silent) -> Installed:
    """Install ``path``, alone in its ``tuning_folder``, as NAME.ENCODING; one of that name is replaced."""
    name = f"{model.name}.{encoding.lower()}"
    entry = catalogue.load().get(model.name)
    sha256 = digest(path, progress)
    source = f"tuned from {model.name}"
    return install(path.parent, name, LLM, {path.name: sha256}, source, entry, original=model.sha256)
