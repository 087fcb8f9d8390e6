"""Bundles: models and wheels in one file for a machine without a network.

A bundle is a plain tar: ``manifest.json`` (path, size and SHA-256 of everything), ``install.py`` (models/unbundle.py,
for where no mollia is yet), and each file as ``sha256/DIGEST``. Paths are ``models/NAME/FILE`` and ``wheels/*.whl``.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mollia_cli import __version__
from mollia_cli.domain.digest import digest_file
from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.files import new_file
from mollia_cli.domain.progress import Progress, silent, step
from mollia_cli.models import catalogue, unbundle
from mollia_cli.models.home import make_folders, models_folder, partial_folder
from mollia_cli.models.installed import Installed, check, get, install, installed
from mollia_cli.models.unbundle import MANIFEST, MODELS, PROGRAM, WHEELS, File, Manifest

WHEEL_COMMAND = "pip wheel --wheel-dir {folder} --constraint constraints.txt ."


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is in a bundle file. ``sha256``: of its manifest, to be compared on both sides."""

    path: Path
    models: tuple[str, ...]
    wheels: int
    size: int
    sha256: str


def pack(
    out: Path,
    names: Sequence[str] = (),
    wheels: Path | None = None,
    progress: Progress = silent,
    needs: Sequence[str] = (),
) -> Bundle:
    """Write a bundle of installed models (default: all) and of the wheels in a folder, whole or not at all.

    ``needs``: what the wheels need of a processor, by Linux's names.
    Raises NotFoundError for a model or folder that is not here, InputError if there is nothing to
    pack, RefusedError for a file that is no longer what was installed, or ``out`` that exists.
    """
    if out.exists():
        raise RefusedError(f"{out} exists already", "give the name of a new file")
    chosen = [_installed(name) for name in names] if names else list(installed().values())
    sources = {PROGRAM: Path(unbundle.__file__)}
    sources |= {f"{MODELS}/{m.name}/{file}": m.folder / file for m in chosen for file in m.files}
    sources |= {f"{WHEELS}/{wheel.name}": wheel for wheel in _wheels(wheels)}
    if len(sources) == 1:
        raise InputError("there is nothing to pack: no model is installed", "mollia models pull smollm2-135m-instruct")
    files = {name: _promise(name, source, chosen) for name, source in sources.items()}
    manifest = _manifest(files, chosen, needs)
    with _refusing():
        unbundle.make_room(out.absolute().parent, sum(file.size for file in files.values()))
    with new_file(out) as unfinished:
        with tarfile.open(unfinished, "w", format=tarfile.GNU_FORMAT) as tar:
            tar.addfile(_header(MANIFEST, len(manifest)), io.BytesIO(manifest))
            members = {unbundle.member(path, files[path]): source for path, source in sources.items()}
            done, total = 0, sum(source.stat().st_size for source in members.values())
            for name, source in members.items():
                progress(f"packing {out.name} (bytes)", done, total)
                size = source.stat().st_size
                with source.open("rb") as handle:
                    tar.addfile(_header(name, size), handle)
                done += size
        progress(f"packing {out.name} (bytes)", total, total)
        with _refusing("mollia models check"):
            unbundle.verify(unfinished)
    return _about(out, unbundle.Manifest(files, {m.name: {} for m in chosen}, {}, hashlib.sha256(manifest).hexdigest()))


def unpack(
    bundle: Path, wheels: Path | None = None, environment: Path | None = None, progress: Progress = silent
) -> tuple[Bundle, list[str]]:
    """Verify a whole bundle, then install its models: (what it holds, the models that were not here before).

    wheels: a new folder for the wheels. environment: a virtual environment to install them into. Raises
    RefusedError for a bundle that is not what its manifest says, or a model under a catalogue name that is not the
    catalogue's; InputError if another model has its name. Raises NotFoundError for a missing file.
    """
    if not bundle.is_file():
        raise NotFoundError(f"no file is called {bundle}", "give the file that `mollia bundle` made")
    if wheels is not None and wheels.exists():
        raise RefusedError(f"{wheels} exists already", "give the name of a new folder for the wheels")
    with step(progress, f"verifying {bundle.name}"), _refusing():
        manifest = unbundle.verify(bundle)
        if (wheels or environment) and not manifest.within(WHEELS):
            raise unbundle.BundleError("the bundle holds no wheels", "leave -o and --install-wheels away")
        if environment:
            unbundle.check_processor(manifest)
    fresh = [name for name in manifest.models if not _is_here(name, manifest)]
    make_folders()
    with _refusing():
        unbundle.make_room(models_folder(), sum(f.size for name in fresh for f in _files(name, manifest).values()))
        with partial_folder() as scratch:
            for name in fresh:
                _install(bundle, name, manifest, scratch)
            _unpack_wheels(bundle, manifest, scratch / WHEELS, wheels, environment)
    return _about(bundle, manifest), fresh


def _unpack_wheels(
    bundle: Path, manifest: Manifest, scratch: Path, wheels: Path | None, environment: Path | None
) -> None:
    if wheels is not None:
        wheels.mkdir(parents=True)
        unbundle.extract(bundle, manifest, WHEELS, wheels)
    if environment is not None:
        if wheels is None:
            scratch.mkdir()
            unbundle.extract(bundle, manifest, WHEELS, scratch)
        unbundle.install_wheels(wheels or scratch, environment)


def _install(bundle: Path, name: str, manifest: Manifest, scratch: Path) -> None:
    new = scratch / name / "files"
    new.mkdir(mode=0o700, parents=True)
    unbundle.extract(bundle, manifest, f"{MODELS}/{name}", new)
    about = manifest.models[name]
    digests = {file: found.sha256 for file, found in _files(name, manifest).items()}
    source, entry = about.get("source", "bundle"), catalogue.load().get(name)
    install(new, name, about["kind"], digests, source, entry, about.get("original", ""))


def _is_here(name: str, manifest: Manifest) -> bool:
    """Whether a model of the bundle is installed already. Raises as ``unpack`` does if it may not be."""
    catalogue.check_name(name, "the bundle is refused: ")
    digests = {file: found.sha256 for file, found in _files(name, manifest).items()}
    kind, entry = manifest.models[name].get("kind"), catalogue.load().get(name)
    if kind not in (catalogue.LLM, catalogue.ENCODER) or not digests or catalogue.MANIFEST in digests:
        raise RefusedError(f"the bundle is refused: {name!r} is no whole model", "make the bundle again")
    known = {file: sha256 for file, sha256 in entry.files.items() if sha256} if entry else {}
    if entry and (entry.kind != kind or any(digests.get(file) != sha256 for file, sha256 in known.items())):
        raise RefusedError(
            f"the bundle is refused: its {name!r} is not the catalogue's model of that name",
            "on the other machine: mollia models add it under another name, and bundle that",
        )
    present = get(name)
    if present is None:
        return False
    if dict(present.files) != digests:
        raise InputError(f"another model is called {name!r} already", f"mollia models remove {name}")
    return all(row.state == "ok" for row in check(name))


def _files(name: str, manifest: Manifest) -> dict[str, File]:
    return manifest.within(f"{MODELS}/{name}")


def _installed(name: str) -> Installed:
    model = get(name)
    if model is None:
        raise NotFoundError(f"model {name!r} is not installed", "see: mollia models list")
    return model


def _wheels(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    found = sorted(folder.glob("*.whl")) if folder.is_dir() else []
    command = WHEEL_COMMAND.format(folder=folder)
    if not found:
        raise NotFoundError(f"{folder} holds no wheels", f"with a network, in mollia's source folder: {command}")
    if not any(wheel.name.startswith("mollia-") for wheel in found):
        raise NotFoundError(f"{folder} holds no wheel of mollia itself", f"in mollia's source folder: {command}")
    return found


def _promise(name: str, source: Path, models: Sequence[Installed]) -> File:
    """A file's size and digest; a model's must still be what was installed, which the tar is verified against."""
    if not source.is_file():
        raise NotFoundError(f"{source} is missing", "see: mollia models check")
    by_path = {f"{MODELS}/{model.name}/{file}": sha256 for model in models for file, sha256 in model.files.items()}
    return File(source.stat().st_size, by_path.get(name) or digest_file(source))


def _manifest(files: Mapping[str, File], models: Sequence[Installed], needs: Sequence[str]) -> bytes:
    about = {m.name: {"kind": m.kind, "source": m.source, "licence": m.licence, "original": m.original} for m in models}
    made = {
        "by": f"mollia {__version__}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "on": unbundle.describe_python(),
        unbundle.NEEDS: " ".join(needs),
    }
    listed = {name: file._asdict() for name, file in files.items()}
    document = {"format": unbundle.FORMAT, "made": made, "models": about, "files": listed}
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    return info


def _about(path: Path, manifest: Manifest) -> Bundle:
    wheels = len(manifest.within(WHEELS))
    size = sum(file.size for file in manifest.files.values())
    return Bundle(path, tuple(manifest.models), wheels, size, manifest.sha256)


@contextmanager
def _refusing(hint: str = "") -> Iterator[None]:
    """The stand-alone program's errors as mollia's, with another hint if one is given."""
    try:
        yield
    except unbundle.BundleError as error:
        raise RefusedError(error.message, hint or error.hint) from None
