"""Facts about an engine build on a processor (its ``stamp``), stored so that each is found out once.

Which kernels each model file passed the load check with, by the file's sha256; what the engine prints of itself.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mollia_cli.domain.errors import RefusedError
from mollia_cli.models.home import home, make_folders, read_json, write_json


def engine_facts(stamp: str) -> dict[str, Any]:
    """The facts stored under a stamp, by name; empty for one that was never seen."""
    found = _everything().get(stamp)
    return found if isinstance(found, dict) else {}


def store_engine_facts(stamp: str, facts: Mapping[str, Any]) -> None:
    """Add facts to those stored; where the home cannot be written to, they are found out again next time."""
    everything = _everything()
    everything[stamp] = engine_facts(stamp) | dict(facts)
    with suppress(OSError):
        make_folders()
        write_json(_file(), everything)


def _everything() -> dict[str, Any]:
    try:
        return read_json(_file())
    except RefusedError:  # only a cache
        return {}


def _file() -> Path:
    return home() / "engine-facts.json"
