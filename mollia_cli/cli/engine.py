"""``mollia engine``: certificates."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli.common import JsonOption, ProjectOption, emit, emit_json, out_option, talk

app = typer.Typer(no_args_is_help=True, help="Other machines that read for a project: certificates.")


@app.callback()
def _group() -> None:
    """Keeps `certificates` a command of its own."""


@app.command()
def certificates(
    *,
    host: Annotated[
        list[str], typer.Option(help="Name or number of a machine, the scheduler's first; may be given several times.")
    ],
    out: Annotated[
        str, out_option("Write them to this new folder. Default: the project's `certificates`, where it looks.")
    ] = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the certificates that a project's machines know each other by, and print the commands to type there.

    Every machine gets a copy of the folder. Who has its files may send work to the workers, and the work is code: keep
    them as you keep a password. They hold for a year; new ones are made in a new folder. Needs the program openssl.

    Example: mollia engine certificates --host 10.0.0.5 --host 10.0.0.6
    """
    from mollia_cli.machine.nodes import make_certificates

    made = make_certificates(host, Path(out) if out else None, project)
    if as_json:
        emit_json(asdict(made))
        return
    talk(f"made in {made.folder}: copy it to every machine, where only you can read it, to the same place")
    for engine, commands in (("dask", made.dask), ("ray", made.ray)):
        emit(f"# {engine}: scheduler, each machine with workers, and here")
        for command in commands:
            emit(command)
