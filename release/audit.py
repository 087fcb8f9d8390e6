"""Compare requirements.lock with advisories from a file: no network. Exit status 1 where one of them applies.

    python release/audit.py ADVISORIES [--lock FILE]          # make audit ADVISORIES=FILE

ADVISORIES holds OSV records (https://ossf.github.io/osv-schema): one JSON object or a list of them, JSON lines,
or the zip archive that OSV exports for an ecosystem, fetched on a machine that may. A record applies if it names the
package in the ecosystem PyPI, and the pinned version is one of its versions or within one of its ranges.
"""

import argparse
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from pins import LOCK, Pin, normalised, read_pins

Advisory = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("advisories", type=Path)
    parser.add_argument("--lock", type=Path, default=LOCK)
    options = parser.parse_args()
    pins, count, found = read_pins(options.lock), 0, 0
    if not pins:
        sys.exit(f"{options.lock} holds no pins")
    for advisory in read_advisories(options.advisories):
        count += 1
        for pin, mended in applying(advisory, pins):
            found += 1
            remedy = f"mended in {', '.join(mended)}" if mended else "no version mends it yet"
            print(f"{pin.name}=={pin.version}  {advisory['id']}  {advisory.get('summary', '')}  ({remedy})")
    print(f"{len(pins)} pins, {count} advisories read, {found} of them apply", file=sys.stderr)
    sys.exit(1 if found or not count else 0)


def read_advisories(path: Path) -> Iterator[Advisory]:
    """Every record of a .zip, .jsonl or .json file that was not withdrawn."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            records: Iterable[Any] = [
                json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")
            ]
    elif path.suffix == ".jsonl":
        records = map(json.loads, filter(str.strip, path.read_text(encoding="utf-8").splitlines()))
    else:
        whole = json.loads(path.read_text(encoding="utf-8"))
        records = whole if isinstance(whole, list) else [whole]
    return (record for record in records if "withdrawn" not in record)


def applying(advisory: Advisory, pins: Mapping[str, Pin]) -> Iterator[tuple[Pin, list[str]]]:
    """The pins that an advisory applies to, each with the versions that mend it."""
    for affected in advisory.get("affected", ()):
        package = affected.get("package", {})
        pin = pins.get(normalised(package.get("name", "")))
        if pin is None or package.get("ecosystem", "").partition(":")[0] != "PyPI":
            continue
        ranges = [r["events"] for r in affected.get("ranges", ()) if r.get("type") in ("ECOSYSTEM", "SEMVER")]
        if pin.version in affected.get("versions", ()) or any(within(pin.version, events) for events in ranges):
            yield pin, sorted({event["fixed"] for events in ranges for event in events if "fixed" in event})


def within(version: str, events: Iterable[Mapping[str, str]]) -> bool:
    """OSV's evaluation: the events in the order of their versions switch between affected and not."""
    here, inside = Version(version), False
    for event in sorted(events, key=lambda event: _order(next(iter(event.values())))):
        (kind, value), *_ = event.items()
        at = _order(value)
        if kind == "introduced" and here >= at:
            inside = True
        elif (kind == "fixed" and here >= at) or (kind == "last_affected" and here > at):
            inside = False
    return inside


def _order(value: str) -> Version:
    try:
        return Version(value)
    except InvalidVersion:
        sys.exit(f"an advisory has the version {value!r}, which cannot be compared (PEP 440)")


if __name__ == "__main__":
    main()
