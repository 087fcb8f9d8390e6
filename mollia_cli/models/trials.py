"""Which model files have been loaded without harm: by digest, so that each is tried once on a machine."""

from contextlib import suppress
from pathlib import Path

from mollia_cli.domain.errors import RefusedError
from mollia_cli.models.home import home, make_folders, read_json, write_json


def has_passed(sha256: str, engine: str) -> bool:
    """Whether a file with this digest was tried with this build of the engine."""
    return engine in _passed().get(sha256, [])


def note_passed(sha256: str, engine: str) -> None:
    """Remember it; a home that cannot be written to has files tried again, no more."""
    everything = _passed()
    everything[sha256] = [*everything.get(sha256, []), engine]
    with suppress(OSError):
        make_folders()
        write_json(_file(), everything)


def _passed() -> dict[str, list[str]]:
    try:
        found = read_json(_file())
    except RefusedError:  # only a cache
        return {}
    return {key: value for key, value in found.items() if isinstance(value, list)}


def _file() -> Path:
    return home() / "trials.json"
