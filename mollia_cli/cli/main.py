"""The program ``mollia``: its commands, and what becomes of errors."""

import errno
import os
import shlex
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mollia_cli import __version__
from mollia_cli.cli import (
    aggregate,
    annotate,
    bench,
    bundle,
    choices,
    compare,
    config,
    demo,
    doctor,
    duplicates,
    engine,
    estimate,
    evaluate,
    explain,
    export,
    forget,
    generate,
    import_,
    imports,
    init,
    labels,
    merge,
    models,
    move,
    panel,
    predict,
    prompt,
    report,
    rerun,
    review,
    rounds,
    runs,
    select,
    sql,
    status,
    verify,
)
from mollia_cli.cli.common import emit, state
from mollia_cli.domain.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_NOT_FOUND, MolliaError
from mollia_cli.domain.network import guard, refused
from mollia_cli.domain.printable import printable
from mollia_cli.domain.processor import check_processor

# How the dynamic loader and PyTorch say that there is no memory left.
_NO_MEMORY = ("failed to map segment", "annot allocate memory", "can't allocate memory")


class Grouped(TyperGroup):
    """The program's commands, in the order and the groups of COMMANDS; without rich, whose import takes too long."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for members in COMMANDS.values() for name in members]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for group, members in COMMANDS.items():
            with formatter.section(group):
                rows = [(name, self.commands[name].get_short_help_str(formatter.width - width - 6)) for name in members]
                formatter.write_dl([(name.ljust(width), help) for name, help in rows])


app = typer.Typer(
    name="mollia",
    cls=Grouped,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Label private text with a panel of small local LLMs and train a classifier from those labels.",
    epilog=(
        "Data goes to stdout, remarks to stderr. Exit status: 0 done (also when the reader of a pipe has gone),"
        " 1 failed, 2 a wrong option or input, 3 not found, 4 refused, 130 stopped with Ctrl-C."
    ),
)

# Every command in its group, in the order of use: so they stand in the help, and in docs/commands.md.
COMMANDS: dict[str, dict[str, Callable[..., None] | typer.Typer]] = {
    "Start": {
        "demo": demo.demo,
        "init": init.init,
        "import": import_.import_,
        "imports": imports.app,
        "move": move.move,
        "duplicates": duplicates.duplicates,
        "status": status.status,
        "config": config.config,
        "labels": labels.app,
        "panel": panel.app,
        "prompt": prompt.app,
        "choices": choices.choices,
    },
    "Label": {
        "label": review.label,
        "select": select.select,
        "annotate": annotate.annotate,
        "merge": merge.merge,
        "aggregate": aggregate.aggregate,
        "review": review.review,
        "generate": generate.generate,
    },
    "Learn": {
        "estimate": estimate.estimate,
        "run": rounds.run_,
        "round": rounds.round_,
        "train": rounds.train,
        "predict": predict.predict,
        "runs": runs.app,
    },
    "Look": {
        "evaluate": evaluate.evaluate,
        "report": report.app,
        "compare": compare.compare,
        "sql": sql.sql,
        "export": export.app,
    },
    "Models": {
        "models": models.app,
        "bench": bench.app,
        "bundle": bundle.bundle,
        "unbundle": bundle.unbundle,
        "engine": engine.app,
    },
    "Trust": {
        "doctor": doctor.doctor,
        "explain": explain.explain,
        "verify": verify.verify,
        "rerun": rerun.rerun,
        "forget": forget.forget,
    },
}
for group, members in COMMANDS.items():
    for name, member in members.items():
        if isinstance(member, typer.Typer):
            app.add_typer(member, name=name, rich_help_panel=group)
        else:
            app.command(name, rich_help_panel=group)(member)


# Of a file that a person has named: it cannot be read or written where it should be.
_NO_SUCH_PLACE = frozenset(
    (
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EEXIST,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENAMETOOLONG,
    )
)


def _version(asked: bool) -> None:
    if asked:
        emit(f"mollia {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No remarks and no progress on stderr.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options that stand before the command."""
    state["quiet"] = quiet
    state["debug"] = debug or bool(os.environ.get("MOLLIA_DEBUG"))
    check_processor()


def main() -> None:
    """Run the command line, without a network; every failure becomes one message with a hint and an exit status."""
    os.umask(0o077)  # whatever this process and its libraries write is its owner's alone
    guard()
    try:
        app(prog_name="mollia")
    except MolliaError as error:
        _fail(error, error.message, error.hint, error.exit_code)
    except OSError as error:
        _fail(error, *_of_the_system(error))
    except SystemExit as error:
        if error.code == EXIT_INTERRUPTED:
            again = shlex.join(["mollia", *sys.argv[1:]])
            print(f"\nmollia: stopped; what was finished is kept\n  to go on: {again}", file=sys.stderr)
        if isinstance(error.__context__, BrokenPipeError):
            sys.exit(0)  # a help that nobody reads: click prints it, and would end with 1
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
            _fail(error, "out of memory", "use a smaller model, or close other programs", EXIT_FAILURE)
        _fail(
            error,
            f"unexpected {type(error).__name__}: {error}",
            "run it again with --debug and report it",
            EXIT_FAILURE,
        )
    finally:
        for where in sorted(set(refused())):  # by a library, which may have kept the error to itself
            print(f"mollia: refused a connection to {printable(where)}; nothing was sent", file=sys.stderr)


def _of_the_system(error: OSError) -> tuple[str, str, int]:
    """Message, hint and exit status for what the operating system refused."""
    name = error.filename2 or error.filename  # of a copy, the file that was written
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f": {name} could not be written" if name else ""
        return (
            f"the disk is full{where}",
            "free some space, then type the same again; what was finished is kept",
            EXIT_FAILURE,
        )
    if error.errno == errno.ENOMEM:
        return f"out of memory ({error})", "use a smaller model, or close other programs", EXIT_FAILURE
    what = f"{name}: {error.strerror}" if name else str(error)
    if error.errno in _NO_SUCH_PLACE and name:
        missing = "make the folder first: mkdir -p FOLDER; or give another path"
        hint = missing if error.errno == errno.ENOENT else "give another path, or mend its permissions"
        return what, hint, EXIT_NOT_FOUND
    return what, "check the path, its permissions and the free disk space", EXIT_FAILURE


def _fail(error: Exception, message: str, hint: str, code: int) -> None:
    if state["debug"]:
        raise error
    # a message names values of other people's: texts, labels, file names
    print(printable(f"mollia: {message}", keep="\n"), file=sys.stderr)
    if hint:
        print(printable(f"  try: {hint}", keep="\n"), file=sys.stderr)
    sys.exit(code)
