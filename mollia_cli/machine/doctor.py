"""``mollia doctor``: what annotation runs on, and what is wrong with it, with the models and with a project."""

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mollia_cli import __version__, models
from mollia_cli.annotators.llama.annotator import AUTO_CELLS, BATCH
from mollia_cli.annotators.llama.binding.doctor import doctor_info, unused_gpu
from mollia_cli.annotators.llama.binding.header import read_header
from mollia_cli.annotators.llama.binding.memory import available, disk_free, predict
from mollia_cli.annotators.llama.guard.build import engine_stamp, rebuild
from mollia_cli.domain.errors import MolliaError, NotFoundError
from mollia_cli.domain.processor import processor_name
from mollia_cli.project.context import Project
from mollia_cli.project.kernels import engine_system
from mollia_cli.project.record import installed_versions
from mollia_cli.store.project_files import find_root

LIBRARIES = ("llama-cpp-python", "numpy", "scipy", "torch", "transformers", "safetensors", "xgboost-cpu", "xgboost")
_QUICK, _PLAIN = "quick", "plain"
_LEAST_DISK = 2**30  # free bytes that a few rounds' classifiers and a day's observations fit into


def doctor(folder: Path | None = None) -> dict[str, Any]:
    """Facts by name, with ``problems`` (what does not work) and ``warnings`` (what could be better).

    Every installed model's files are compared with their digests; a file that did not change is not read
    again. The project is that of ``folder``, or the one that is found from here, if there is one; its
    whole database is read.
    """
    problems: list[str] = []
    warnings: list[str] = []
    engine: dict[str, Any] = {}
    try:
        engine_system()  # in a process of its own: a build for another processor would end this one
        engine = doctor_info()
    except MolliaError as error:
        problems.append(f"{error.message}; {error.hint}")
    except (ImportError, OSError, RuntimeError) as error:
        problems.append(f"llama.cpp cannot be loaded: {error}; install it again: {rebuild()}")
    else:
        warnings.extend(filter(None, [unused_gpu()]))
    llms = models.installed_names("llm", tuned=True)
    found = [_model(name, "llm", problems) for name in llms]
    found += [_model(name, "encoder", problems) for name in models.installed_names("encoder")]
    if not llms:
        warnings.append("no LLM is installed: mollia models pull smollm2-135m-instruct")
    warnings.extend(_too_large(found))
    if plain := [model["name"] for model in found if model["kernels"] == _PLAIN]:
        warnings.append(
            f"llama.cpp's quickest kernels do not work on this processor, so its plain ones read {', '.join(plain)};"
            f" for full speed: {rebuild()}"
        )
    project = _project(folder, problems, warnings)
    return {
        "ok": not problems,
        "problems": problems,
        "warnings": warnings,
        "mollia": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "libraries": installed_versions(LIBRARIES),
        "engine": engine,
        "models": found,
        "project": project,
    }


def _model(name: str, kind: str, problems: list[str]) -> dict[str, Any]:
    """State; of an LLM also its digest, the bytes of memory that it needs, and the kernels that compute it here.

    The kernels are those that its load check found, which its first use makes; None before.
    """
    known: dict[str, Any] = {"name": name, "kind": kind, "state": "ok", "sha256": None, "memory": None, "kernels": None}
    try:
        if kind == "encoder":
            models.resolve_encoder(name)
            return known
        file = models.resolve_llm(name)
        known["sha256"] = file.sha256
        read_header(file.path).check_whole()
        passed = models.engine_facts(engine_stamp()).get(file.sha256)
        known["kernels"] = None if passed is None else _QUICK if passed else _PLAIN
        known["memory"] = predict(file.path, cells=AUTO_CELLS, batch=BATCH).total
    except MolliaError as error:
        problems.append(f"{error.message}; {error.hint}")
        known["state"] = "damaged"
    return known


def _too_large(found: list[dict[str, Any]]) -> Iterator[str]:
    free = available()
    for model in found:
        if free is not None and model["memory"] is not None and model["memory"] > free:
            yield (
                f"{model['name']} needs about {_gib(model['memory'])} of memory, {_gib(free)} are free:"
                " close other programs, or leave it out of the panel"
            )


def _project(folder: Path | None, problems: list[str], warnings: list[str]) -> dict[str, Any] | None:
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
        with Project.open(root, warnings.append) as project:
            wrong = project.store.damage()
    except MolliaError as error:
        wrong = [error.message]
    problems.extend(f"the project {root}: {line}; restore it from a backup" for line in wrong)
    return {"path": str(root), "state": "damaged" if wrong else "ok", "disk_free": free}


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
