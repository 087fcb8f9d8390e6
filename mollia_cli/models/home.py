"""Where models are kept on this machine: ``MOLLIA_HOME``, or the platform's data folder."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import platformdirs

from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.files import write_private
from mollia_cli.domain.processes import sweep

HOME_VARIABLE = "MOLLIA_HOME"
HUB_VARIABLE = "HF_ENDPOINT"  # names a mirror of the hub
_PARTIAL = ".partial-"


def home() -> Path:
    """The folder of everything that is kept outside projects."""
    chosen = os.environ.get(HOME_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_data_dir("mollia", False))


def models_folder() -> Path:
    """The folder with one folder for each installed model."""
    return home() / "models"


def make_folders() -> None:
    """Create what is missing of the folders, open to nobody else."""
    for folder in (home(), models_folder()):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def clear_partial() -> None:
    """Make the folders, and remove what killed processes have left of pulls."""
    make_folders()
    sweep(models_folder(), _PARTIAL)


@contextmanager
def partial_folder() -> Iterator[Path]:
    """An empty folder beside the models, gone afterwards; what killed processes left behind goes first."""
    clear_partial()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{os.getpid()}-", dir=models_folder()))
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file, empty if there is none. Raises RefusedError for anything else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RefusedError(f"{path} is damaged: it holds no JSON object", "delete it and pull the model again")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step."""
    write_private(path, json.dumps(value, ensure_ascii=False, indent=1))
