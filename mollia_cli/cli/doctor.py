"""``mollia doctor``."""

from typing import Any

import typer

from mollia_cli.cli.common import JsonOption, emit_json, table, talk
from mollia_cli.domain.errors import EXIT_FAILURE


def doctor(as_json: JsonOption = False) -> None:
    """Say what annotation runs on: llama.cpp's build, CPU features, devices, threads, versions, model digests.

    The exit status is 1 if something does not work.

    Example: mollia doctor
    """
    from mollia_cli.workflow.doctor import doctor as examine

    found = examine()
    if as_json:
        emit_json(found)
    else:
        table(["what", "found"], _rows(found))
        table(["model", "state", "sha256"], [[m["name"], m["state"], m["sha256"]] for m in found["models"]])
    for warning in found["warnings"]:
        talk(f"warning: {warning}")
    for problem in found["problems"]:
        talk(f"problem: {problem}")
    if not found["ok"]:
        raise typer.Exit(EXIT_FAILURE)


def _rows(found: dict[str, Any]) -> list[list[str]]:
    """Everything but the models, as pairs for people."""
    engine = found["engine"]
    rows = [
        ["mollia", found["mollia"]],
        ["Python", f"{found['python']} on {found['platform']}"],
        *([name, version] for name, version in found["libraries"].items()),
    ]
    if not engine:
        return rows
    memory = engine["memory_free"]
    return [
        *rows,
        ["llama.cpp", engine["llama_cpp"]],
        *([f"{backend} build", " ".join(flags)] for backend, flags in engine["system"].items()),
        *([device["type"], f"{device['name']}: {device['description']}"] for device in engine["devices"]),
        ["runs on", ", ".join(engine["runs_on"])],
        ["cores", f"{engine['cores']}; thread counts measured: {', '.join(map(str, engine['threads_measured']))}"],
        ["free memory", "unknown" if memory is None else f"{memory / 2**30:.1f} GiB"],
    ]
