"""``mollia doctor``."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mollia_cli.cli.common import JsonOption, ProjectOption, emit_json, excluded, table, talk
from mollia_cli.domain.errors import EXIT_FAILURE
from mollia_cli.domain.printable import count

if TYPE_CHECKING:
    from mollia_cli.machine.doctor import Diagnosis


def doctor(
    offline: Annotated[
        bool, typer.Option("--offline", help="Prove instead that no command but `models pull` gets to a network.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what annotation runs on, and whether the models and the project are sound.

    llama.cpp's build, CPU features, devices, threads, versions; every model's digest and the memory it needs; the
    project's database, all of it, and the room on its disk. The exit status is 1 if something does not work.

    Example: mollia doctor
    """
    if offline and project is not None:
        excluded("--offline", "-p", "the proof needs no project")
    if offline:
        _prove_offline(as_json)
        return
    from mollia_cli.machine.doctor import doctor as examine

    found = examine(project)
    if as_json:
        emit_json(asdict(found))
    else:
        table(["what", "found"], _rows(found))
        columns = ["model", "kind", "state", "memory", "kernels", "sha256"]
        table(columns, ([m.name, m.kind, m.state, _gib(m.memory), m.kernels, m.sha256] for m in found.models))
    for warning in found.warnings:
        talk(f"warning: {warning}")
    for problem in found.problems:
        talk(f"problem: {problem}")
    if not found.ok:
        raise typer.Exit(EXIT_FAILURE)


def _prove_offline(as_json: bool) -> None:
    from mollia_cli.machine.offline import members_here, offline

    found = offline(members_here())
    if as_json:
        emit_json(asdict(found))
    else:
        table(["attempt", "refused by"], [[each.what, each.by] for each in found.attempts])
        table(["set for libraries", "value"], [[*pair] for pair in found.environment.items()])
        table(["interface", "state"], [[each.name, each.state] for each in found.interfaces])
        result = "the guard is active, and nothing got past it" if found.ok else "something can get to a network"
        talk(f"{result}; the system has {count(len(found.interfaces), 'network interface')}")
        for each in found.named:
            talk(f"named by this project's panel, and let through while it reads: {each}")
    if not found.ok:
        raise typer.Exit(EXIT_FAILURE)


def _rows(found: "Diagnosis") -> list[list[str]]:
    """Everything but the models, as pairs for people."""
    engine, project = found.engine, found.project
    rows = [
        ["mollia", found.mollia],
        ["Python", f"{found.python} on {found.platform}"],
        ["processor", found.processor],
        *([name, version] for name, version in found.libraries.items()),
        ["project", "none here"]
        if project is None
        else ["project", f"{project.path}: {project.state}, {_gib(project.disk_free)} free on its disk"],
    ]
    if engine is None:
        return rows
    return [
        *rows,
        ["llama.cpp", engine.llama_cpp],
        *([f"{backend} build", " ".join(flags)] for backend, flags in engine.system.items()),
        *([device.type, f"{device.name}: {device.description}"] for device in engine.devices),
        ["runs on", ", ".join(engine.runs_on)],
        ["cores", f"{engine.cores}; thread counts measured: {', '.join(map(str, engine.threads_measured))}"],
        ["free memory", _gib(engine.memory_free) or "unknown"],
    ]


def _gib(size: int | None) -> str:
    return "" if size is None else f"{size / 2**30:.1f} GiB"
