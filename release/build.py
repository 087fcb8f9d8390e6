"""Build a release: wheel, source archive, SBOM and their digests, the same bytes every time.

    python release/build.py [--out dist]                      # make release

The wheel and the source archive are each built twice from the files of the last commit, in two folders, and must have
the same SHA-256. Times in them are that commit's (or SOURCE_DATE_EPOCH). What else their bytes depend on is the
version of setuptools, which constraints.txt pins.
"""

import argparse
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from pins import ROOT

SBOM, DIGESTS = "sbom.cdx.json", "SHA256SUMS"
# In a process of its own: setuptools reads the environment once, and leaves arguments of its own behind.
_BUILD = """
import sys
from setuptools import build_meta
out = sys.argv[1]
build_meta.build_wheel(out)
build_meta.build_sdist(out)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    out: Path = parser.parse_args().out
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct").decode().strip()
    built = [release_files(epoch) for _ in range(2)]
    if built[0] != built[1]:
        sys.exit(f"two builds differ: {', '.join(name for name in built[0] if built[0][name] != built[1].get(name))}")
    files = built[0]
    command, environment = (
        [sys.executable, str(ROOT / "release" / "sbom.py")],
        {**os.environ, "SOURCE_DATE_EPOCH": epoch},
    )
    files[SBOM] = subprocess.run(command, check=True, capture_output=True, env=environment).stdout
    files[DIGESTS] = digests(files).encode()
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    print(files[DIGESTS].decode(), end="")


def release_files(epoch: str) -> dict[str, bytes]:
    """Wheel and source archive of the last commit, by name."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "HEAD"))) as archive:
            archive.extractall(folder, filter="data")
        return build(Path(folder), epoch)


def build(tree: Path, epoch: str) -> dict[str, bytes]:
    """Wheel and source archive of a tree, which is written into, by name."""
    out = tree / "dist"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    made = subprocess.run([sys.executable, "-c", _BUILD, str(out)], cwd=tree, env=environment, capture_output=True)
    if made.returncode:
        sys.exit(made.stderr.decode())
    return {
        file.name: repacked(file.read_bytes(), int(epoch)) if file.name.endswith(".tar.gz") else file.read_bytes()
        for file in sorted(out.iterdir())
    }


def repacked(archive: bytes, epoch: int) -> bytes:
    """A .tar.gz without what differs between two builds: times, owners, the order of its members."""
    plain = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as old,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            clean = tarfile.TarInfo(member.name)
            clean.type, clean.size, clean.mtime = member.type, member.size, epoch
            clean.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(clean, old.extractfile(member))
    return gzip.compress(plain.getvalue(), mtime=epoch)


def digests(files: dict[str, bytes]) -> str:
    """Lines that `sha256sum --check` reads."""
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


if __name__ == "__main__":
    main()
