"""``mollia doctor``: what annotation runs on, and the problems of it, of the models and of a project."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mollia_cli import __version__, models
from mollia_cli.annotators.llama.annotator import AUTO_CELLS, BATCH
from mollia_cli.annotators.llama.binding.doctor import Engine, engine, unused_gpu
from mollia_cli.annotators.llama.binding.header import read_header
from mollia_cli.annotators.llama.binding.memory import available, disk_free, predict
from mollia_cli.annotators.llama.guard.build import engine_stamp, rebuild
from mollia_cli.domain.errors import MolliaError, NotFoundError
from mollia_cli.domain.processor import processor_name
from mollia_cli.engines.ray import UNGUARDED
from mollia_cli.project.context import Project
from mollia_cli.project.kernels import engine_system
from mollia_cli.project.record import installed_versions
from mollia_cli.store.project_files import find_root

LIBRARIES = (
    "llama-cpp-python",
    "numpy",
    "scipy",
    "torch",
    "transformers",
    "safetensors",
    "xgboost-cpu",
    "xgboost",
    "distributed",
    "ray",
)
_QUICK, _PLAIN = "quick", "plain"
_LEAST_DISK = 2**30  # free bytes that a few rounds' classifiers and a day's observations fit into


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """An installed model: "ok" or "damaged"; of an LLM also its sha256 and the bytes of memory that it needs.

    kernels: those that its load check found to work here, "quick" or "plain"; None before its first use.
    """

    name: str
    kind: str
    state: str = "ok"
    sha256: str | None = None
    memory: int | None = None
    kernels: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectHealth:
    """A project's database ("ok" or "damaged") and the free bytes on its disk."""

    path: str
    state: str
    disk_free: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``problems``: what does not work; ``warnings``: what could be better; engine: None where it cannot be loaded."""

    ok: bool
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    mollia: str
    python: str
    platform: str
    processor: str
    libraries: dict[str, str]
    engine: Engine | None
    models: tuple[ModelHealth, ...]
    project: ProjectHealth | None


def doctor(folder: Path | None = None) -> Diagnosis:
    """Examine the engine, the installed models and a project.

    Every installed model's files are compared with their digests; a file that did not change is not read
    again. The project is that of ``folder``, or the one that is found from here, if there is one; its
    whole database is read.
    """
    problems: list[str] = []
    warnings: list[str] = []
    found_engine: Engine | None = None
    try:
        engine_system()  # in a process of its own: a build for another processor would end this one
        found_engine = engine()
    except MolliaError as error:
        problems.append(f"{error.message}; {error.hint}")
    except (ImportError, OSError, RuntimeError) as error:
        problems.append(f"llama.cpp cannot be loaded: {error}; install it again: {rebuild()}")
    else:
        warnings.extend(filter(None, [unused_gpu()]))
    llms = models.installed_names("llm", tuned=True)
    found = [_llm(name, problems) for name in llms]
    found += [_encoder(name, problems) for name in models.installed_names("encoder")]
    if not llms:
        warnings.append("no LLM is installed: mollia models pull smollm2-135m-instruct")
    warnings.extend(_too_large(found))
    if plain := [model.name for model in found if model.kernels == _PLAIN]:
        warnings.append(
            f"llama.cpp's quickest kernels do not work on this processor, so its plain ones read {', '.join(plain)};"
            f" for full speed: {rebuild()}"
        )
    project = _project(folder, problems, warnings)
    return Diagnosis(
        ok=not problems,
        problems=tuple(problems),
        warnings=tuple(warnings),
        mollia=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor_name(),
        libraries=installed_versions(LIBRARIES),
        engine=found_engine,
        models=tuple(found),
        project=project,
    )


def _llm(name: str, problems: list[str]) -> ModelHealth:
    sha256 = kernels = None
    try:
        file = models.resolve_llm(name)
        sha256 = file.sha256
        read_header(file.path).check_whole()
        passed = models.engine_facts(engine_stamp()).get(file.sha256)
        kernels = None if passed is None else _QUICK if passed else _PLAIN
        memory = predict(file.path, cells=AUTO_CELLS, batch=BATCH).total
    except MolliaError as error:
        problems.append(f"{error.message}; {error.hint}")
        return ModelHealth(name, "llm", "damaged", sha256, None, kernels)
    return ModelHealth(name, "llm", "ok", sha256, memory, kernels)


def _encoder(name: str, problems: list[str]) -> ModelHealth:
    try:
        models.resolve_encoder(name)
    except MolliaError as error:
        problems.append(f"{error.message}; {error.hint}")
        return ModelHealth(name, "encoder", "damaged")
    return ModelHealth(name, "encoder")


def _too_large(found: list[ModelHealth]) -> Iterator[str]:
    free = available()
    for model in found:
        if free is not None and model.memory is not None and model.memory > free:
            yield (
                f"{model.name} needs about {_gib(model.memory)} of memory, {_gib(free)} are free:"
                " close other programs, or leave it out of the panel"
            )


def _project(folder: Path | None, problems: list[str], warnings: list[str]) -> ProjectHealth | None:
    """The project's database and the room on its disk; None where there is no project."""
    try:
        root = find_root(folder)
    except NotFoundError:
        if folder is not None:
            raise
        return None
    free = disk_free(root)
    if free < _LEAST_DISK:
        warnings.append(f"the disk of {root} has {_gib(free)} free: a round stores a classifier; free some space")
    try:
        with Project.open_any(root, warnings.append) as project:
            damage = project.store.damage()
            if project.settings.annotate.engine == "ray":
                warnings.append(f"the engine of {root} is ray: {UNGUARDED}; --on dask has no such processes")
    except MolliaError as error:
        damage = [error.message]
    problems.extend(f"the project {root}: {line}; restore it from a backup" for line in damage)
    return ProjectHealth(str(root), "damaged" if damage else "ok", free)


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
