"""What is installed: each model's folder, its manifest, and whether its files are still what they were."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.files import link_or_copy
from mollia_cli.domain.progress import Progress, silent
from mollia_cli.models import catalogue
from mollia_cli.models.catalogue import ENCODER, LLM, MANIFEST, Entry
from mollia_cli.models.digests import cache_digest, digest
from mollia_cli.models.home import models_folder, partial_folder, read_json, write_json
from mollia_cli.models.weights import check_safetensors

_ENCODER_FILES = re.compile(r".*\.(json|txt|model|safetensors)")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An LLM that can be loaded. ``sha256`` is of the file as it is now."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Installed:
    """A model's manifest. ``files``: name -> sha256; ``size``: bytes; ``added``: UTC, ISO 8601.

    ``original``: of a tuned copy, the sha256 of the file that it was made from.
    """

    name: str
    kind: str
    family: str
    licence: str
    files: Mapping[str, str]
    size: int
    source: str
    added: str
    original: str = ""

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return models_folder() / self.name

    @property
    def main(self) -> str:
        """The file that the model is known by."""
        return next(iter(self.files))


@dataclass(frozen=True, slots=True)
class Listed:
    """A model that can be used or had.

    source: where it came from, or where a pull would look, in that order. sha256: of its first file, None where it
    is not known. digest: whether that of every file is compared with a known one.
    """

    name: str
    kind: str
    family: str
    licence: str
    size: int
    installed: bool
    source: str
    sha256: str | None
    digest: str
    note: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One file of an installed model: ``state`` is ok, differs or missing; ``found`` is its sha256 now."""

    model: str
    file: str
    state: str
    expected: str
    found: str | None


def installed() -> dict[str, Installed]:
    """Every installed model, by name."""
    folder = models_folder()
    names = sorted(path.parent.name for path in folder.glob(f"[!.]*/{MANIFEST}")) if folder.is_dir() else []
    return {name: manifest for name in names if (manifest := get(name)) is not None}


def get(name: str) -> Installed | None:
    """The manifest of one model, None if it is not installed. Raises RefusedError if it is damaged."""
    path = models_folder() / name / MANIFEST
    data = read_json(path) if catalogue.is_name(name) else {}
    if not data:
        return None
    try:
        return Installed(**data)
    except TypeError:
        raise RefusedError(f"{path} is damaged", f"mollia models remove {name}, then pull or add it again") from None


def installed_names(kind: str = "", *, tuned: bool = False) -> list[str]:
    """Names of the installed models of a kind ("llm", "encoder", "" for both).

    Without ``tuned`` a tuned copy is left out beside its original: a panel would ask one annotator twice.
    """
    here = installed().values()
    digests = set() if tuned else {model.files[model.main] for model in here}
    return [model.name for model in here if kind in ("", model.kind) and model.original not in digests]


def list_models(kind: str = "") -> list[Listed]:
    """The catalogue in its order, then the models that were added by hand."""
    here, entries = installed(), catalogue.load()
    rows = [
        Listed(
            name=entry.name,
            kind=entry.kind,
            family=entry.family,
            licence=entry.licence,
            size=entry.size,
            installed=entry.name in here,
            source=here[entry.name].source if entry.name in here else ", else ".join(map(str, entry.sources)),
            sha256=next(iter(entry.files.values())),
            digest=_digest(entry),
            note=entry.note,
        )
        for entry in entries.values()
    ]
    rows += [
        Listed(
            *(m.name, m.kind, m.family, m.licence, m.size, True, m.source, m.files[m.main], "checked"),
            note=m.source if m.original else "added by hand",
        )
        for m in here.values()
        if m.name not in entries
    ]
    return [row for row in rows if kind in ("", row.kind)]


def _digest(entry: catalogue.Entry) -> str:
    unknown = sum(sha256 is None for sha256 in entry.files.values())
    return f"checked; {unknown} of {len(entry.files)} pinned at the first pull" if unknown else "checked"


def looks_like_path(value: str) -> bool:
    """Whether a model is named by its place rather than its name."""
    return "/" in value or os.sep in value or value.startswith(("~", ".")) or value.lower().endswith(".gguf")


def check_name(name: str, kind: str) -> str:
    """``name`` if a model of that kind is called so, installed or not. Raises NotFoundError, InputError."""
    known = {row.name: row for row in list_models()}
    if name not in known:
        raise catalogue.unknown(name, {row.name: row for row in known.values() if row.kind == kind})
    _expect(kind, known[name].kind, name)
    return name


def check_model(name: str) -> None:
    """Raises NotFoundError where neither an installed model nor one of the catalogue is called so."""
    known = {row.name: row for row in list_models()}
    if name not in known:
        raise catalogue.unknown(name, known)


def is_installed(name_or_path: str) -> bool:
    """Whether a model can be used without pulling it; no file is read."""
    if looks_like_path(name_or_path):
        return Path(name_or_path).expanduser().exists()
    model = get(name_or_path)
    if model is None:
        return Path(name_or_path).is_dir()
    return all((model.folder / file).is_file() for file in model.files)


def is_gguf(path: Path) -> bool:
    """Whether a file begins as a GGUF file does."""
    with path.open("rb") as handle:
        return handle.read(4) == b"GGUF"


def resolve_llm(name_or_path: str) -> ModelFile:
    """An LLM by name or GGUF file.

    Raises NotFoundError if it is not there, RefusedError if the file is not GGUF or is no longer
    the one that was installed.
    """
    if looks_like_path(name_or_path):
        path = _require_gguf(Path(name_or_path).expanduser().absolute())
        return ModelFile(path.stem, path, digest(path))
    model = _intact(name_or_path, LLM)
    return ModelFile(model.name, model.folder / model.main, model.files[model.main])


def resolve_encoder(name_or_path: str) -> Path:
    """The folder of an encoder, by name or path. Raises as ``resolve_llm`` does."""
    here = Path(name_or_path).expanduser()
    if looks_like_path(name_or_path) or (here.is_dir() and not get(name_or_path)):
        _encoder_files(here)
        return here.absolute()
    return _intact(name_or_path, ENCODER).folder


def add(path: Path, name: str | None = None, progress: Progress = silent) -> Installed:
    """Install a GGUF file or an encoder's folder from this machine: linked where that works, else copied.

    A file that is one of the catalogue's gets its name there. Under a name of the catalogue, the
    files must be the catalogue's. Adding the same again changes nothing. Raises InputError if the
    name is another model's, RefusedError for files that are not what they should be.
    """
    path = path.expanduser().absolute()
    kind = ENCODER if path.is_dir() else LLM
    files = _encoder_files(path) if kind == ENCODER else {path.name: _require_gguf(path)}
    digests = {file: digest(place, progress) for file, place in files.items()}
    entries = catalogue.load()
    main = next(iter(digests.values()))
    same = next((entry.name for entry in entries.values() if main in entry.files.values()), None)
    name = catalogue.check_name(name or same or re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-._"))
    entry = entries.get(name)
    if entry is not None:
        _expect(entry.kind, kind, name)
        files, digests = _as_catalogued(entry, files, digests)
    present = get(name)
    if present is not None:
        if dict(present.files) == digests and all(row.state == "ok" for row in check(name)):
            return present
        raise InputError(f"another model is called {name!r} already", f"--name NAME, or: mollia models remove {name}")
    with partial_folder() as scratch:
        new = scratch / "files"
        new.mkdir(mode=0o700)
        for file, place in files.items():
            link_or_copy(place.resolve(), new / file)
        return install(new, name, kind, digests, str(path), entry)


def install(
    new: Path,
    name: str,
    kind: str,
    digests: Mapping[str, str],
    source: str,
    entry: Entry | None,
    original: str = "",
) -> Installed:
    """Move a folder of verified files to its place among the models, in one step, with its manifest."""
    model = Installed(
        name=name,
        kind=kind,
        family=entry.family if entry else "",
        licence=entry.licence if entry else "",
        files=dict(digests),
        size=sum((new / file).stat().st_size for file in digests),
        source=source,
        added=datetime.now(UTC).isoformat(timespec="seconds"),
        original=original,
    )
    write_json(new / MANIFEST, asdict(model))
    if model.folder.exists():
        model.folder.replace(new.parent / "old")
    new.replace(model.folder)
    for file, sha256 in digests.items():
        cache_digest(model.folder / file, sha256)
    return model


def check(name: str | None = None, progress: Progress = silent) -> list[Checked]:
    """Read every file of one model, or of all, again. Raises NotFoundError."""
    rows = []
    for model in [_get(name)] if name else installed().values():
        for file, expected in model.files.items():
            place = model.folder / file
            found = digest(place, progress, fresh=True) if place.is_file() else None
            state = "missing" if found is None else "ok" if found == expected else "differs"
            rows.append(Checked(model.name, file, state, expected, found))
    return rows


def size_of(name: str) -> int:
    """Bytes of a model's files, damaged or not. Raises NotFoundError."""
    return sum(path.stat().st_size for path in _folder(name).iterdir())


def remove(name: str) -> None:
    """Delete a model's folder. Raises NotFoundError."""
    shutil.rmtree(_folder(name))


def _folder(name: str) -> Path:
    folder = models_folder() / name
    if not catalogue.is_name(name) or not folder.is_dir():
        raise _not_installed(name)
    return folder


def _get(name: str) -> Installed:
    model = get(name)
    if model is None:
        raise _not_installed(name)
    return model


def _not_installed(name: str) -> NotFoundError:
    if name in catalogue.load():
        return NotFoundError(f"model {name!r} is not installed", f"mollia models pull {name}")
    return catalogue.unknown(name, {row.name: row for row in list_models()})


def _intact(name: str, kind: str) -> Installed:
    """The manifest of an installed model whose files are what they were when it was installed."""
    entry = catalogue.load().get(name)
    model = get(name)
    found_kind = model.kind if model else entry.kind if entry else kind
    _expect(kind, found_kind, name)
    if model is None:
        raise _not_installed(name)
    again = f"mollia models pull {name}" if entry else f"mollia models remove {name}, then add it again"
    for file, expected in model.files.items():
        place = model.folder / file
        if not place.is_file():
            raise NotFoundError(f"model {name!r} lacks its file {place}", again)
        found = digest(place)
        if found != expected:
            size = f"{place.stat().st_size:,} bytes, "
            raise RefusedError(f"{place} has changed since it was installed: {size}sha256 {found[:12]}...", again)
    return model


def _expect(wanted: str, found: str, name: str) -> None:
    if wanted != found:
        words = {LLM: "an LLM", ENCODER: "an encoder"}
        raise InputError(f"{name!r} is {words[found]}, not {words[wanted]}", f"see: mollia models list --kind {wanted}")


def _as_catalogued(
    entry: Entry, files: Mapping[str, Path], digests: Mapping[str, str]
) -> tuple[dict[str, Path], dict[str, str]]:
    """The given files under the catalogue's names. Raises RefusedError if one is missing or another."""
    if entry.kind == LLM:
        (main,) = entry.files
        files, digests = {main: next(iter(files.values()))}, {main: next(iter(digests.values()))}
    for file, expected in entry.files.items():
        if file not in digests:
            raise RefusedError(f"{file!r} of {entry.name!r} is not there", "give a folder that holds it")
        if expected not in (None, digests[file]):
            raise RefusedError(
                f"{files[file]} is not the catalogue's {entry.name!r}: its sha256 is {digests[file]}, not {expected}",
                "give it another name: --name NAME",
            )
    return {file: files[file] for file in entry.files}, {file: digests[file] for file in entry.files}


def _require_gguf(path: Path) -> Path:
    if not path.exists():
        raise NotFoundError(f"no file is called {path}", "check the path, or see: mollia models list")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a GGUF file", "give the .gguf file in it")
    if not is_gguf(path):
        raise RefusedError(f"{path} is not a GGUF file", "LLMs are read in that format only")
    return path


def _encoder_files(folder: Path) -> dict[str, Path]:
    """The files of an encoder's folder that are kept: the weights first, then what goes with them."""
    if not folder.exists():
        raise NotFoundError(f"no folder is called {folder}", "check the path, or see: mollia models list")
    if not folder.is_dir():
        raise InputError(f"{folder} is a file, not an encoder's folder", "give the folder with its config.json")
    kept = [place for place in sorted(folder.iterdir()) if _ENCODER_FILES.fullmatch(place.name) and place.is_file()]
    weights = [place for place in kept if place.suffix == ".safetensors"]
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} is not an encoder: it has no config.json", "give the folder that has one")
    if not weights:
        raise RefusedError(
            f"{folder} has no weights as .safetensors",
            "weights in pickle files (.bin) can run code, so they are not read",
        )
    for place in weights:
        check_safetensors(place)
    return {place.name: place for place in (*weights, *(place for place in kept if place not in weights))}
