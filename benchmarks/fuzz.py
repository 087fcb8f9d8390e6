"""Coverage-guided fuzzing of everything that parses what somebody else made.

    python benchmarks/fuzz.py                           # every target, 20,000 runs each; some minutes
    python benchmarks/fuzz.py --runs 1000000            # for a night
    python benchmarks/fuzz.py --target gguf --runs 500  # one of them, a quick look
    python benchmarks/fuzz.py --target csv --input FILE # one input again

Needs atheris (pip install atheris; no dependency of mollia's). A fault is anything but a MolliaError (in bundles a
BundleError), an input that takes 10 seconds, or one that takes 2 GB. libFuzzer writes the input that showed it
into --out and prints the traceback; mend the fault, and keep the input in tests/benchmarks/fuzzed. The exit status is
1 if there was one.
"""

import argparse
import io
import json
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

SECONDS, MEGABYTES, BYTES = 10, 2048, 4096  # the most that an input may take, and have
Examine = Callable[[bytes], object]


@dataclass(frozen=True)
class Target:
    """What is fuzzed: ``load`` imports it and returns what is done with an input; ``seeds`` are sound inputs."""

    load: Callable[[], Examine]
    seeds: Callable[[], list[bytes]]


def reader(name: str | None) -> Callable[[], Examine]:
    """Reads all rows of a file in a format; None goes by its first bytes."""

    def load() -> Examine:
        from mollia_cli.readers import read

        return lambda data: [*read(io.BytesIO(data), name, name="fuzz")]

    return load


def settings() -> Examine:
    """Reads mollia.toml."""
    from mollia_cli.store.project_files import read_settings

    return on_file(read_settings)


def catalogue() -> Examine:
    """Reads models.toml."""
    from mollia_cli.models.catalogue import read

    return on_file(read)


def bundle() -> Examine:
    """Verifies a bundle."""
    from mollia_cli.models.unbundle import verify

    return on_file(verify)


def gguf() -> Examine:
    """Reads a model's header, and everything that is concluded from it."""
    from mollia_cli.annotators.llama.binding.header import read_header
    from mollia_cli.annotators.llama.binding.memory import predict

    def examine(path: Path) -> None:
        header = read_header(path)
        predict(path, cells=2048, batch=512)
        print(header.main_type, header.architecture, file=io.StringIO())
        header.check_whole()

    return on_file(examine)


def safetensors() -> Examine:
    """Checks an encoder's weights."""
    from mollia_cli.models.weights import check_safetensors

    return on_file(check_safetensors)


def merge() -> Examine:
    """Merges a copy of a project in which bytes are others: every four of the input are a place and what stands there.

    A database is larger than an input may be.
    """
    import numpy as np

    from mollia_cli.domain.items import Item
    from mollia_cli.domain.labels import LabelSet
    from mollia_cli.domain.observations import Observation
    from mollia_cli.store.store import Store

    labels, root = LabelSet(("a", "b")), Path(tempfile.mkdtemp(prefix="mollia-fuzz-"))
    with closing(Store(root, labels, create=True)) as made:
        made.items.add([Item(f"i{n}", f"text {n}") for n in range(50)], "fuzz")
    sound = made.path.read_bytes()
    with closing(Store(root, labels)) as made:
        key, z = made.observations.register("llm", {"labels": labels.digest}), np.full(2, 0.5)
        made.observations.add(key, [Observation(f"i{n}", np.log(z), z, 1.0, 0.0) for n in range(50)], 1.0)
    copy = made.path.read_bytes()
    made.path.write_bytes(sound)
    home = Store(root, labels)

    def examine(data: bytes) -> None:
        altered = bytearray(copy)
        for start in range(0, len(data) - 3, 4):
            altered[int.from_bytes(data[start : start + 3], "big") % len(copy)] = data[start + 3]
        (root / "copy.db").write_bytes(altered)
        home.merge([root / "copy.db"], dry_run=True)

    return examine


def on_file(function: Callable[[Path], object]) -> Examine:
    """What examines a file: always the same one, in memory where the system has such a folder."""
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None, prefix="mollia-fuzz-")) / "input"

    def examine(data: bytes) -> None:
        path.write_bytes(data)
        function(path)

    return examine


def csv_seeds(mark: str = ",") -> list[bytes]:
    rows = [["id", "text", "label"], ["1", '"a ""b"" c\nd"', "x"], ["2", "'=1+1", ""]]
    return ["\r\n".join(mark.join(row) for row in rows).encode(), b"\xef\xbb\xbftext\n\xc3\xa9\n"]


def jsonl_seeds() -> list[bytes]:
    rows = [{"id": 1, "text": "a \u00e9 \U0001f600", "label": "x"}, {"text": "\ud800", "label": True}]
    return ["\n".join(map(json.dumps, rows)).encode(), "\ufefftext".encode("utf-16-le")]


def parquet_seeds() -> list[bytes]:
    import pyarrow
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": ["a", "b"], "label": ["x", None]}), out)
    return [out.getvalue()]


def settings_seeds() -> list[bytes]:
    from mollia_cli.domain.labels import LabelSet
    from mollia_cli.domain.settings import Settings
    from mollia_cli.store.project_files import write_settings

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mollia.toml"
        write_settings(path, Settings(LabelSet(("a", "b"))))
        return [path.read_bytes(), b"[labels]\na = ''\nb = ''\n"]


def catalogue_seeds() -> list[bytes]:
    from importlib import resources

    shipped = (resources.files("mollia_cli") / "models.toml").read_bytes().split(b"[[model]]")
    return [b"[[model]]" + entry for entry in shipped[1:] if len(entry) < BYTES // 2]


def bundle_seeds() -> list[bytes]:
    data, program = b"weights", b"pass"
    files = {"install.py": program, "models/m/m.gguf": data}
    listed = {path: {"size": len(held), "sha256": sha256(held).hexdigest()} for path, held in files.items()}
    manifest = json.dumps({"format": 1, "files": listed, "models": {"m": {}}, "made": {}}).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, held in {
            "manifest.json": manifest,
            "install.py": program,
            f"sha256/{sha256(data).hexdigest()}": data,
        }.items():
            member = tarfile.TarInfo(name)
            member.size = len(held)
            tar.addfile(member, io.BytesIO(held))
    return [out.getvalue()[:BYTES]]


def gguf_seeds() -> list[bytes]:
    def string(text: bytes) -> bytes:
        return struct.pack("<Q", len(text)) + text

    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 4)
    values = string(b"general.architecture") + struct.pack("<I", 8) + string(b"llama")
    values += string(b"llama.block_count") + struct.pack("<II", 4, 1)
    values += string(b"general.alignment") + struct.pack("<II", 4, 32)
    values += string(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + string(b"a") + string(b"b")
    tensor = string(b"t") + struct.pack("<IQQIQ", 2, 4, 4, 0, 0)
    return [(head + values + tensor).ljust(1024, b"\0")]


def safetensors_seeds() -> list[bytes]:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()
    return [struct.pack("<Q", len(header)) + header + bytes(16)]


def merge_seeds() -> list[bytes]:
    same = b"\0\0\0S"  # the first byte, as it is
    return [same * 8, b"".join(place.to_bytes(3, "big") + b"\xff" for place in range(0, 1 << 18, 1 << 10))]


TARGETS = {
    "csv": Target(reader("csv"), csv_seeds),
    "tsv": Target(reader("tsv"), lambda: csv_seeds("\t")),
    "jsonl": Target(reader("jsonl"), jsonl_seeds),
    "lines": Target(reader("lines"), jsonl_seeds),
    "sniffed": Target(reader(None), lambda: csv_seeds(";") + jsonl_seeds()),
    "parquet": Target(reader("parquet"), parquet_seeds),
    "settings": Target(settings, settings_seeds),
    "catalogue": Target(catalogue, catalogue_seeds),
    "bundle": Target(bundle, bundle_seeds),
    "gguf": Target(gguf, gguf_seeds),
    "safetensors": Target(safetensors, safetensors_seeds),
    "merge": Target(merge, merge_seeds),
}


def fuzz(name: str, runs: int, seed: int, out: Path, given: Path | None) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["mollia_cli", "tomllib"]):
        from mollia_cli.domain.errors import MolliaError
        from mollia_cli.models.unbundle import BundleError

        examine = TARGETS[name].load()

    def one(data: bytes) -> None:
        with suppress(MolliaError, BundleError):
            examine(data)

    corpus = Path(tempfile.mkdtemp(prefix=f"mollia-fuzz-{name}-"))
    for number, data in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed-{number}").write_bytes(data)
    limits = [f"-max_len={BYTES}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}"]
    where = [str(given)] if given else [f"-runs={runs}", f"-seed={seed}", str(corpus)]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={out}/{name}-", *where], one)
    atheris.Fuzz()


def fuzz_all(options: argparse.Namespace) -> int:
    """Fuzz every target in a process of its own; the number of those with a fault."""
    faults = 0
    for name in TARGETS:
        command = [sys.executable, __file__, "--target", name, "--runs", options.runs, "--seed", options.seed]
        done = subprocess.run([*map(str, command), "--out", options.out], capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        runs = re.search(r"Done (\d+) runs in (\d+) second", said)
        covered = re.findall(r"cov: (\d+)", said)
        row: dict[str, Any] = {"target": name, "ok": done.returncode == 0 and runs is not None}
        row |= {"runs": int(runs[1]) if runs else None, "seconds": int(runs[2]) if runs else None}
        row |= {"branches": int(covered[-1]) if covered else None}
        print(json.dumps(row), flush=True)
        if not row["ok"]:
            faults += 1
            print(said[-4000:], file=sys.stderr)
    return faults


def main() -> None:
    """The command line; see the head of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=TARGETS, help="Default: all, one after the other.")
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1, help="0 draws one.")
    parser.add_argument("--input", type=Path, help="Try this one input, with --target.")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()), help="Where inputs with faults go.")
    options = parser.parse_args()
    if options.target:
        fuzz(options.target, options.runs, options.seed, options.out, options.input)
    else:
        sys.exit(min(fuzz_all(options), 1))


if __name__ == "__main__":
    main()
