"""What was found out by trying, kept so that it is tried once: by a stamp, of an engine and a processor for example."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mollia_cli.domain.errors import RefusedError
from mollia_cli.models.home import home, make_folders, read_json, write_json


def remembered(stamp: str) -> dict[str, Any]:
    """What is known under a stamp, by name; empty for one that was never seen."""
    found = _everything().get(stamp)
    return found if isinstance(found, dict) else {}


def remember(stamp: str, facts: Mapping[str, Any]) -> None:
    """Add to what is known; a home that cannot be written to has it tried again, no more."""
    everything = _everything()
    everything[stamp] = remembered(stamp) | dict(facts)
    with suppress(OSError):
        make_folders()
        write_json(_file(), everything)


def _everything() -> dict[str, Any]:
    try:
        return read_json(_file())
    except RefusedError:  # only a cache
        return {}


def _file() -> Path:
    return home() / "trials.json"
