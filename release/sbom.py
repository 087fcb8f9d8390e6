"""A CycloneDX 1.6 software bill of materials of mollia and of everything that it is installed with.

    python release/sbom.py > sbom.cdx.json

What is listed is installed here: the distributions that mollia requires on this platform, and what those require.
Hashes are those of requirements.lock, where the versions agree. The same versions give the same bytes: the serial
number is derived from the content, and the time is SOURCE_DATE_EPOCH, or left out where that is not set.
"""

import json
import os
import sys
import uuid
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement
from pins import LOCK, Pin, normalised, public, read_pins

PROJECT = "mollia"


def main() -> None:
    print(json.dumps(bill(closure(PROJECT), read_pins(LOCK)), indent=2, ensure_ascii=False, sort_keys=True))


def closure(root: str) -> dict[str, Distribution]:
    """A distribution and all that it requires here, extras that somebody asks for included, by normalised name."""
    found: dict[str, Distribution] = {}
    done: set[tuple[str, str]] = set()
    waiting = [(root, "")]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            sys.exit(f"{name} is required and not installed here: pip install -c constraints.txt .")
        for needed in requirements(found[name], extra):
            waiting += [(normalised(needed.name), wanted) for wanted in ("", *needed.extras)]
    return dict(sorted(found.items()))


def requirements(of: Distribution, extra: str = "") -> list[Requirement]:
    """What a distribution requires on this platform, with one of its extras."""
    every = map(Requirement, of.requires or [])
    return [needed for needed in every if needed.marker is None or needed.marker.evaluate({"extra": extra})]


def bill(parts: dict[str, Distribution], pins: dict[str, Pin]) -> dict[str, Any]:
    """The document; the project itself is its subject, and all others are components."""
    components = {name: component(name, part, pins.get(name)) for name, part in parts.items()}
    edges = [
        {
            "ref": components[name]["bom-ref"],
            "dependsOn": sorted(
                {components[n]["bom-ref"] for r in requirements(part) if (n := normalised(r.name)) in components}
            ),
        }
        for name, part in parts.items()
    ]
    subject = components.pop(PROJECT)
    content: dict[str, Any] = {
        "components": list(components.values()),
        "dependencies": edges,
        "metadata": {"component": subject | {"type": "application"}},
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        content["metadata"]["timestamp"] = datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
    } | content


def component(name: str, part: Distribution, pin: Pin | None) -> dict[str, Any]:
    """One distribution, with its package URL, licence and, where it is the locked version, hashes."""
    url = f"pkg:pypi/{name}@{part.version}"
    made: dict[str, Any] = {"type": "library", "bom-ref": url, "name": name, "version": part.version, "purl": url}
    if licence := licence_of(part):
        made["licenses"] = licence
    if pin is not None and pin.version == public(part.version):
        made["hashes"] = [{"alg": "SHA-256", "content": value} for value in sorted(pin.hashes)]
    return made


def licence_of(part: Distribution) -> list[dict[str, Any]]:
    """The licence as the metadata states it: an SPDX expression, else the classifiers' words, else a short text."""
    said: dict[str, Any] = part.metadata.json
    if expression := said.get("license_expression"):
        return [{"expression": expression}]
    words = [c.rpartition(" :: ")[2] for c in said.get("classifier", ()) if c.startswith("License :: ")]
    free = said.get("license", "").strip()
    if not words and free and "\n" not in free:
        words = [free]
    return [{"license": {"name": word}} for word in words]


if __name__ == "__main__":
    main()
