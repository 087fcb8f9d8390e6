"""constraints.txt and requirements.lock: reading pins, and the hashes that belong to them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS, LOCK = ROOT / "constraints.txt", ROOT / "requirements.lock"
UNLOCKED = "# What follows is of the extras"  # large, and of use to few: pinned, and in no lock


@dataclass(frozen=True, slots=True)
class Pin:
    """One distribution. ``hashes``: SHA-256 of every file that it may be installed from."""

    name: str
    version: str
    hashes: frozenset[str] = frozenset()


def normalised(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def public(version: str) -> str:
    """A version without its local part: 2.13.0+cpu is 2.13.0 (PEP 440)."""
    return version.partition("+")[0]


def read_pins(path: Path) -> dict[str, Pin]:
    """Pins by normalised name, from lines ``name==version`` and, in a lock, the hashes that follow each.

    Those below UNLOCKED are left out.
    """
    text = path.read_text(encoding="utf-8").partition(UNLOCKED)[0].replace("\\\n", " ") if path.is_file() else ""
    pins = {}
    for line in text.splitlines():
        if match := re.match(r"([\w.-]+)==([\w.+!-]+)", line):
            pins[normalised(match[1])] = Pin(match[1], match[2], frozenset(re.findall(r"sha256:([0-9a-f]{64})", line)))
    return pins
