"""``mollia models``: the LLMs and encoders on this machine, and where to get more."""

from contextlib import nullcontext
from dataclasses import asdict
from enum import StrEnum
from math import ceil
from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import (
    JsonListOption,
    JsonOption,
    ProjectOption,
    ThreadsOption,
    YesOption,
    confirm,
    emit_json,
    emit_list,
    open_project,
    progress_bar,
    table,
    talk,
)
from mollia_cli.domain.errors import EXIT_REFUSED
from mollia_cli.domain.printable import count
from mollia_cli.domain.progress import Progress

_SHORT = 12  # digits of a digest that people compare by eye

app = typer.Typer(no_args_is_help=True, help="LLMs and encoders: list, pull, add, tune, check, remove.")


class Kind(StrEnum):
    """What a model is for."""

    llm = "llm"
    encoder = "encoder"


Names = Annotated[list[str], typer.Argument(help="Names of models.", autocompletion=complete.models)]


@app.command("list")
def list_(
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only these.")] = None,
    as_json: JsonListOption = False,
) -> None:
    """Show the models that are installed, and those that can be pulled.

    Download: what a pull would fetch; nothing of what is installed. Source: where it came from, or where a
    pull looks, in that order. Digest: whether a pull compares the SHA-256 of every file with the catalogue's.

    Example: mollia models list --kind llm
    """
    from mollia_cli.models import list_models

    rows = [
        asdict(row) | {"download": 0 if row.installed else row.size} for row in list_models(kind.value if kind else "")
    ]
    columns = ["name", "kind", "size", "installed", "download", "licence", "note", "source", "digest", "sha256"]
    emit_list(
        rows, columns, as_json, {"size": _size, "download": _download, "sha256": lambda digest: (digest or "")[:_SHORT]}
    )
    if any(row["download"] for row in rows):
        talk(
            "mollia models pull NAME downloads so much, and compares its SHA-256 with the catalogue's before it is used"
        )


@app.command()
def pull(names: Names, as_json: JsonListOption = False) -> None:
    """Fetch models of the catalogue and verify them. The only command that uses a network.

    Example: mollia models pull smollm2-135m-instruct all-minilm-l6-v2
    """
    from mollia_cli.models.pull import pull as pull_model

    reports = []
    for name in names:
        with progress_bar() as bar:
            report = pull_model(name, _megabytes(bar), talk)
        if not report.attempts:
            talk(f"{name}: is installed already, and whole")
        else:
            talk(f"{name}: installed in {report.model.folder}, {_size(report.model.size)}, verified")
        for file, sha256 in report.pinned.items():
            talk(f"{name}: the catalogue knows no sha256 of {file}; pinned as {sha256}")
        reports.append({**asdict(report), "folder": str(report.model.folder)})
    if as_json:
        emit_json(reports)


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="A GGUF file, or the folder of an encoder.")],
    name: Annotated[str | None, typer.Option("--name", help="What to call it. Default: from the file's name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Install a model from this machine: linked where that works, else copied.

    Example: mollia models add ~/Downloads/my-model.Q4_K_M.gguf --name my-model
    """
    from mollia_cli.project.kernels import add_model

    with progress_bar() as bar:
        model = add_model(path, name, _megabytes(bar))
    talk(f"{model.name}: {model.kind}, {_size(model.size)}, sha256 {model.files[model.main]}")
    if as_json:
        emit_json(asdict(model))


@app.command()
def tune(
    names: Names,
    coarser: Annotated[
        bool, typer.Option("--coarser", help="Let formats compete that change what the model says.")
    ] = False,
    threads: ThreadsOption = None,
    project: ProjectOption = None,
    as_json: JsonListOption = False,
) -> None:
    """Write LLMs in the weight format that this machine reads fastest, as models of their own.

    The values stay those of the original (to rounding), unless --coarser is given. With -p, how far what it says
    changes is measured on the project's own texts.
    The original stays as it is; use the new one by its name, which is printed.

    Example: mollia models tune smollm2-135m-instruct
    """
    from mollia_cli.machine.tune import tune_model

    with open_project(project) if project else nullcontext() as opened:
        found = [tune_model(name, opened, coarser=coarser, threads=threads or 0, say=talk) for name in names]
    for one in found:
        talk(f"{one.model}: {one.says}")
        if one.found and one.found.change:
            change = one.found.change
            talk(
                f"  label probabilities on {count(change.texts, 'text')}: changed by {change.mean:.4f} on average, "
                f"at most {change.largest:.3f}; the same best label for {change.agreement:.1%}"
            )
    if as_json:
        emit_json([one.record() for one in found])
        return
    table(["model", "use"], [[one.model, one.use] for one in found])


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(help="Default: all.", autocompletion=complete.models)] = None,
    as_json: JsonListOption = False,
) -> None:
    """Read the installed files again and compare them with what was installed.

    Example: mollia models check
    """
    from mollia_cli.models import check as check_models

    with progress_bar() as bar:
        rows = check_models(name, _megabytes(bar))
    emit_list([asdict(row) for row in rows], ["model", "file", "state", "found"], as_json)
    wrong = sorted({row.model for row in rows if row.state != "ok"})
    if wrong:
        talk(f"not as installed: {', '.join(wrong)}; pull them, or remove and add them, again")
        raise typer.Exit(EXIT_REFUSED)


@app.command()
def remove(names: Names, yes: YesOption = False) -> None:
    """Delete installed models, for good.

    Those that were added from a file of yours are deleted as they are installed; the file stays.

    Example: mollia models remove tinyllama-1.1b-chat
    """
    from mollia_cli.models import remove as remove_model
    from mollia_cli.models import size_of

    sizes = [size_of(name) for name in names]  # of all, before any goes
    confirm(f"{', '.join(names)} ({_size(sum(sizes))}) will be deleted", yes)
    for name in names:
        remove_model(name)
        talk(f"{name}: removed")


def _download(size: int) -> str:
    return _size(size) if size else ""


def _megabytes(bar: Progress) -> Progress:
    """A progress callback for bytes that shows megabytes."""

    def show(what: str, done: int, total: int) -> None:
        whole = ceil(total / 1e6)
        bar(f"{what} (MB)", whole if done >= total else min(done // 1_000_000, whole - 1), whole)

    return show


def _size(size: int) -> str:
    """A number of bytes as people read it."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"
