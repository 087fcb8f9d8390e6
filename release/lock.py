"""Write requirements.lock: every pin of constraints.txt with the SHA-256 of each file that pip would take for it.

    python release/lock.py                                   # make lock
    pip install --require-hashes -r requirements.lock        # takes those files or none; then: pip install --no-deps .

pip is asked (`--dry-run --report`) with whatever index and options it is configured with, and nothing is installed.
One run sees one file of each pin: that of this machine's platform and index. Hashes seen before are kept as long as
the pin stays, so that the lock may be completed on another platform or index by running this there with --again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from pins import CONSTRAINTS, LOCK, Pin, normalised, public, read_pins

HEADER = """\
# Written by `make lock` from constraints.txt. Use: pip install --require-hashes -r requirements.lock
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="ask for the pins that have hashes already, too")
    pins, before = read_pins(CONSTRAINTS), read_pins(LOCK)
    known = {} if parser.parse_args().again else before
    now = seen([pin for name, pin in pins.items() if name not in known or known[name].version != pin.version])
    merged = merge(pins, before, now)
    LOCK.write_text(lock_text(merged), encoding="utf-8")
    print(f"{len(merged)} pins, {sum(len(pin.hashes) for pin in merged)} hashes: {LOCK}")


def seen(pins: Sequence[Pin]) -> dict[str, Pin]:
    """What pip would install for the pins, with one hash each. The version may have a local part."""
    if not pins:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"]
        wanted = [f"{pin.name}=={pin.version}" for pin in pins]
        subprocess.run([*command, "--report", str(report), *wanted], check=True)
        return from_report(json.loads(report.read_text(encoding="utf-8")))


def from_report(report: dict[str, list[dict[str, dict[str, dict[str, dict[str, str]]]]]]) -> dict[str, Pin]:
    """Pins by normalised name from pip's installation report, version 1."""
    found = {}
    for entry in report["install"]:
        name, version = str(entry["metadata"]["name"]), str(entry["metadata"]["version"])
        sha256 = entry["download_info"]["archive_info"]["hashes"]["sha256"]
        found[normalised(name)] = Pin(name, version, frozenset({sha256}))
    return found


def merge(pins: dict[str, Pin], before: dict[str, Pin], now: dict[str, Pin]) -> list[Pin]:
    """The pins by name, each with the hashes seen now and, where the version is still the same, before."""
    merged = []
    for name, pin in sorted(pins.items()):
        known = [other for found in (before, now) if (other := found.get(name)) is not None]
        hashes = [other.hashes for other in known if public(other.version) == pin.version]
        merged.append(Pin(pin.name, pin.version, frozenset().union(*hashes)))
    return merged


def lock_text(pins: Iterable[Pin]) -> str:
    """requirements.lock; a pin without a hash is an error of pip's later, so it is one here."""
    lines = []
    for pin in pins:
        if not pin.hashes:
            sys.exit(f"no file was seen of {pin.name}=={pin.version}")
        lines.append(
            " \\\n    ".join([f"{pin.name}=={pin.version}", *(f"--hash=sha256:{h}" for h in sorted(pin.hashes))])
        )
    return HEADER + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
