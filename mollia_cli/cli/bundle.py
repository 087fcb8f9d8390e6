"""``mollia bundle`` and ``mollia unbundle``: carrying models and mollia to a machine without a network."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import JsonOption, emit_json, out_option, progress_bar, talk


def bundle(
    out: Annotated[str, out_option("Write the bundle to this new .tar.")],
    names: Annotated[
        list[str] | None, typer.Argument(help="Installed models. Default: all.", autocompletion=complete.models)
    ] = None,
    wheels: Annotated[Path | None, typer.Option(help="A folder of wheels: mollia's and its dependencies'.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Pack models, and mollia itself, for a machine without a network.

    Wheels are made beforehand, where there is a network and with the other machine's Python and
    platform: pip wheel --wheel-dir wheels --constraint constraints.txt . For another processor than this one,
    with the portable llama.cpp that the README shows.

    Example: mollia bundle -o clinic.tar smollm2-135m-instruct all-minilm-l6-v2 --wheels wheels
    """
    from mollia_cli.machine.bundle import bundle as pack

    with progress_bar() as bar:
        made, needs = pack(Path(out), names or [], wheels, bar)
    talk(f"{out}: {', '.join(made.models) or 'no models'}, {made.wheels} wheels, {made.size / 1e6:.0f} MB")
    talk(f"its manifest's sha256 is {made.sha256}; `mollia unbundle` prints it, too: they must be the same")
    file = shlex.quote(Path(out).name)
    if made.wheels:
        talk(f"the wheels need a processor with {' '.join(needs) or 'features that are not known here'}")
        talk(f"on the other machine: tar -xf {file} install.py && python3 install.py {file} venv")
    else:
        talk(f"on the other machine, where mollia is installed: mollia unbundle {file}")
    if as_json:
        emit_json({**asdict(made), "path": str(made.path)})


def unbundle(
    file: Annotated[Path, typer.Argument(help="A .tar that `mollia bundle` made.")],
    out: Annotated[str, out_option("Write the wheels to this new folder.")] = "",
    install_wheels: Annotated[
        Path | None, typer.Option(help="Install the wheels into this virtual environment; made if need be.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a bundle and install its models. No network is used.

    Nothing is installed unless all of it is what its manifest says.

    Example: mollia unbundle clinic.tar
    """
    from mollia_cli.models.bundle import unpack
    from mollia_cli.models.unbundle import pip_command

    wheels = Path(out) if out else None
    with progress_bar() as bar:
        found, fresh = unpack(file, wheels, install_wheels, bar)
    talk(f"{file} is whole; its manifest's sha256 is {found.sha256}")
    for name in found.models:
        talk(f"{name}: {'installed' if name in fresh else 'is installed already, and whole'}")
    if wheels:
        talk(f"to install the wheels: {shlex.join(pip_command(wheels, Path('VENV')))}")
    elif found.wheels and not install_wheels:
        talk(f"its {found.wheels} wheels were left in it: -o FOLDER, or --install-wheels VENV")
    if as_json:
        emit_json({**asdict(found), "path": str(found.path), "installed": fresh})
